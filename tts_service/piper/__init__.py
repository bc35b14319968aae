"""Piper's voices, fast on CPU: loaded from files on disk, never from a hub. Importing this package loads none of it."""
