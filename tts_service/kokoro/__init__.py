"""Kokoro, the neural voice: loaded from files on disk, never from a hub. Importing this package does not load torch."""
