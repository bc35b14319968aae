"""Every call's turn-taking as lines of JSON: what the engine was told, when, and what it asked for.

``parley replay`` computes the decisions again from such a log, with the same settings or others. Off by default; the
words of the caller and the agent are only written where the settings allow it. Without them a log holds, for each text,
numbers that stand for its words and what the language's cues made of it: see `stand_ins`, which also says what that
still gives away.

A file has one header line, then one line for each event with the actions it led to, ``{"dropped": n}`` wherever events
are missing, and ``{"end": …}``.
"""

from orchestrator.event_log.header import FORMAT, EventLogError, Header, engine_settings_of
from orchestrator.event_log.reading import Entry, RecordedCall, read_log
from orchestrator.event_log.settings import EventLogSettings
from orchestrator.event_log.writing import SUFFIX, EventLog, EventLogs

__all__ = [
    "FORMAT",
    "SUFFIX",
    "Entry",
    "EventLog",
    "EventLogError",
    "EventLogSettings",
    "EventLogs",
    "Header",
    "RecordedCall",
    "engine_settings_of",
    "read_log",
]
