"""Why a process cannot start."""

from __future__ import annotations


class StartupError(Exception):
    """A process cannot start; the message says why and what to do. Ends it with exit code 1 and one clear line."""
