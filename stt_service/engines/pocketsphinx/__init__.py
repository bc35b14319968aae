"""The embedded recogniser: pocketsphinx on the demo's grammar, for demo, self-test and tests."""
