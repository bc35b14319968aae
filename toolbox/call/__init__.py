"""Placing one call from the telephone in a box, by hand."""
