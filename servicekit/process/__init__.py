"""The life of a process: flags, settings, logs, telemetry, one event loop, signals, exit codes."""

from servicekit.process.entry import main
from servicekit.process.life import Process
from servicekit.startup import StartupError

__all__ = ["Process", "StartupError", "main"]
