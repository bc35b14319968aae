"""``parley demo``: one whole call on this machine, with nothing but what the package brings."""
