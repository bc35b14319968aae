"""Moonshine Voice: models made for live speech, which do most of their work while somebody is still talking."""
