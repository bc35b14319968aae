"""``parley models``: fetching the models that the real engines need, once, and checking them."""
