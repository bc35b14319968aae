"""The TwiML verbs of a call as values; defaults are Twilio's."""

from __future__ import annotations

from dataclasses import dataclass, field

from toolbox.phone.notices import Notice


@dataclass(frozen=True, slots=True)
class Say:
    """Speak text."""

    text: str
    voice: str = ""
    language: str = ""
    loop: int = 1


@dataclass(frozen=True, slots=True)
class Play:
    """Play an audio file, or send digits."""

    url: str
    digits: str = ""
    loop: int = 1


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    length_s: int = 1


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go on with another document; an empty URL is the current one."""

    url: str
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse an inbound call; must be the first verb."""

    reason: str = "rejected"


@dataclass(frozen=True, slots=True)
class Stream:
    """The noun of Connect: a bidirectional media stream."""

    url: str
    name: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    status_callback: str = ""
    status_callback_method: str = "POST"


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect the call to a stream until the server closes it."""

    stream: Stream
    action: str = ""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Record:
    """Record the caller. `action` empty: the current document is requested again."""

    action: str = ""
    method: str = "POST"
    timeout_s: int = 5
    finish_on_key: str = "1234567890*#"
    max_length_s: int = 3600
    play_beep: bool = True
    trim: bool = True
    recording_status_callback: str = ""
    recording_status_callback_method: str = "POST"
    recording_status_callback_events: tuple[str, ...] = ("completed",)


@dataclass(frozen=True, slots=True)
class Gather:
    """Collect digits while the prompts play."""

    action: str = ""
    method: str = "POST"
    timeout_s: int = 5
    finish_on_key: str = "#"
    num_digits: int | None = None
    action_on_empty_result: bool = False
    prompts: tuple[Say | Play | Pause, ...] = ()


@dataclass(frozen=True, slots=True)
class Dial:
    """Ring somebody and join the two calls."""

    number: str
    action: str = ""
    method: str = "POST"
    timeout_s: int = 30
    caller_id: str = ""
    hangup_on_star: bool = False
    time_limit_s: int = 4 * 3600
    status_callback: str = ""
    status_callback_method: str = "POST"
    status_callback_events: tuple[str, ...] = ("completed",)


Verb = Say | Play | Pause | Redirect | Hangup | Reject | Connect | Record | Gather | Dial


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed TwiML document: what can be performed, and what Twilio's debugger would say about the rest."""

    verbs: tuple[Verb, ...] = ()
    notices: tuple[Notice, ...] = field(default=())
