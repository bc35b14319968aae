"""The text-to-speech service, room by room."""
