"""Trains the embedded Whisper: a model of four million parameters that knows the demo's and the benches' words."""
