"""Small models with random weights, built by the tests through the libraries' own formats."""
