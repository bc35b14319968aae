"""servicekit, by what it promises to every service."""
