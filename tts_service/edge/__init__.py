"""The voices of Microsoft Edge's "Read aloud", by the library edge-tts: a cloud service, never chosen by itself."""
