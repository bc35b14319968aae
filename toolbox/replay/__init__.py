"""Recorded calls again: with the same settings as a check, with others to see what would differ."""
