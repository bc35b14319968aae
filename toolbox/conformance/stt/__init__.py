"""The cases of ``parley.stt.v1.SpeechToText``."""

from toolbox.conformance.case import Case
from toolbox.conformance.stt import about, audio, finals, formats, load, newer, order
from toolbox.conformance.stt.peer import SttPeer

CASES: tuple[Case[SttPeer], ...] = (
    about.get_info,
    about.health,
    about.plain_utterance,
    *order.CASES,
    *formats.CASES,
    *audio.CASES,
    *finals.CASES,
    *about.TRUTHS,
    *newer.CASES,
    *load.CASES,
    about.order_throughout,
    about.health_while_draining,
)
"""In the order in which they are run: the last one ends the target, where that was asked for."""

__all__ = ["CASES", "SttPeer"]
