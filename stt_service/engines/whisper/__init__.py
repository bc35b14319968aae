"""The real recogniser: faster-whisper with a model from disk."""
