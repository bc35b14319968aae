"""Logs: one line per event, JSON or console, with call, turn and trace ids, and without anybody's words or number.

``log = get_logger(__name__)``, then ``log.info("slot refused", capacity=4)``: the event says what happened, keys say to
what. Keys named like speech, numbers or tokens are masked, and so is whatever looks like one inside any text.
"""

from servicekit.logs.pipeline import bind_call, configure, flush, get_logger
from servicekit.settings import LogSettings

__all__ = ["LogSettings", "bind_call", "configure", "flush", "get_logger"]
