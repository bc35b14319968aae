"""Playing the agent's sound: what goes to the line when, and what the caller has heard of it.

Public face: `Playout` (the state machine) and what it tells: `PlaybackReport`, `FirstSent`, `Heard`, `PlayoutCounts`.
"""

from gateway.playout.news import FirstSent, Heard, PlaybackReport, PlayoutCounts, PlayoutNews
from gateway.playout.playout import Playout

__all__ = ["FirstSent", "Heard", "PlaybackReport", "Playout", "PlayoutCounts", "PlayoutNews"]
