"""The cases of ``parley.tts.v1.TextToSpeech``."""

from toolbox.conformance.case import Case
from toolbox.conformance.tts import about, alignments, load, newer, offered, order, segments, text
from toolbox.conformance.tts.peer import TtsPeer

CASES: tuple[Case[TtsPeer], ...] = (
    about.get_info,
    about.health,
    about.plain_reply,
    *order.CASES,
    *offered.CASES,
    *segments.CASES,
    *alignments.CASES,
    *text.CASES,
    *newer.CASES,
    *load.CASES,
    about.order_throughout,
    about.health_while_draining,
)
"""In the order in which they are run: the last one ends the target, where that was asked for."""

__all__ = ["CASES", "TtsPeer"]
