"""What goes wrong with models, in words for whoever runs the command."""

from __future__ import annotations


class ModelError(Exception):
    """A model cannot be had or is not what it should be; the message says what happened and what to do."""
