"""A strict TwiML parser: what Twilio would perform of a document, and what its debugger would say about the rest.

Consequences as documented: a document that is no XML ends the call (12100); an unknown verb, noun, attribute or value
is a warning (12200) and is ignored; a stream's query string is not supported: it is dropped, and the server that
needed it fails in its own way.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from toolbox.phone.notices import DOCUMENT_PARSE_FAILURE, SCHEMA_VALIDATION, Notice
from toolbox.phone.schema import Attributes
from toolbox.phone.verbs import (
    Connect,
    Dial,
    Document,
    Gather,
    Hangup,
    Pause,
    Play,
    Record,
    Redirect,
    Reject,
    Say,
    Stream,
    Verb,
)

PARAMETER_LIMIT = 500
"""A Parameter's name and value together must stay under this many characters."""

_CALL_EVENTS = ("initiated", "ringing", "answered", "completed")
_KEYS = "1234567890*#"
_FOREVER = 1000
"""Twilio's loop="0" repeats until hang-up, up to a thousand times."""


class TwimlError(ValueError):
    """The document cannot be performed at all; `notice` says why."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(str(notice))
        self.notice = notice


def parse_twiml(text: str | bytes) -> Document:
    """Parse a document.

    Raises:
        TwimlError: Not well-formed XML, or the root is not `<Response>` (12100).
    """
    raw = text.encode() if isinstance(text, str) else text
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise TwimlError(Notice(DOCUMENT_PARSE_FAILURE, "document type definitions are not accepted"))
    try:
        root = ElementTree.fromstring(raw)  # entities and external references are refused above
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise TwimlError(Notice(DOCUMENT_PARSE_FAILURE, str(error))) from error
    if root.tag != "Response":
        raise TwimlError(Notice(DOCUMENT_PARSE_FAILURE, f"the root is <{root.tag}>, not <Response>"))
    notices: list[Notice] = []
    Attributes(root, notices).done()
    _no_text(root, notices)
    verbs = _read_all(root, _VERBS, notices)
    for index, verb in enumerate(verbs):
        if isinstance(verb, Reject) and index > 0:
            notices.append(Notice(SCHEMA_VALIDATION, "<Reject>: not the first verb, so the call is answered before it"))
    return Document(tuple(verbs), tuple(notices))


Reader = Callable[[Element, list[Notice]], Verb | None]


def _read_all(parent: Element, readers: dict[str, Reader], notices: list[Notice]) -> list[Verb]:
    found: list[Verb] = []
    for child in parent:
        if not isinstance(child.tag, str):  # a comment or processing instruction
            continue
        reader = readers.get(child.tag)
        if reader is None:
            notices.append(Notice(SCHEMA_VALIDATION, f"<{child.tag}> is not allowed in <{parent.tag}>"))
            continue
        verb = reader(child, notices)
        if verb is not None:
            found.append(verb)
    return found


def _no_text(element: Element, notices: list[Notice]) -> None:
    texts = [element.text, *(child.tail for child in element)]
    if any(text and text.strip() for text in texts):
        notices.append(Notice(SCHEMA_VALIDATION, f"<{element.tag}>: text is not allowed here"))


def _leaf(element: Element, notices: list[Notice]) -> str:
    """The text of an element that may hold no other."""
    notices.extend(Notice(SCHEMA_VALIDATION, f"<{child.tag}> is not allowed in <{element.tag}>") for child in element)
    return (element.text or "").strip()


def _loop(attributes: Attributes) -> int:
    return attributes.whole("loop", 0, _FOREVER, 1) or _FOREVER


def _say(element: Element, notices: list[Notice]) -> Say:
    attributes = Attributes(element, notices)
    # Speech markup (break, emphasis, prosody …) may be nested: its text is spoken.
    text = " ".join("".join(element.itertext()).split())
    verb = Say(text, attributes.text("voice"), attributes.text("language"), _loop(attributes))
    attributes.done()
    return verb


def _play(element: Element, notices: list[Notice]) -> Play | None:
    attributes = Attributes(element, notices)
    verb = Play(_leaf(element, notices), attributes.text("digits"), _loop(attributes))
    attributes.done()
    if not verb.url and not verb.digits:
        attributes.warn("neither a URL nor digits")
        return None
    return verb


def _pause(element: Element, notices: list[Notice]) -> Pause:
    attributes = Attributes(element, notices)
    verb = Pause(attributes.whole("length", 0, 3600, 1))
    _leaf(element, notices)
    attributes.done()
    return verb


def _redirect(element: Element, notices: list[Notice]) -> Redirect:
    attributes = Attributes(element, notices)
    verb = Redirect(_leaf(element, notices), attributes.method())
    attributes.done()
    return verb


def _hangup(element: Element, notices: list[Notice]) -> Hangup:
    attributes = Attributes(element, notices)
    _leaf(element, notices)
    attributes.done()
    return Hangup()


def _reject(element: Element, notices: list[Notice]) -> Reject:
    attributes = Attributes(element, notices)
    verb = Reject(attributes.one_of("reason", ("rejected", "busy"), "rejected"))
    _leaf(element, notices)
    attributes.done()
    return verb


def _connect(element: Element, notices: list[Notice]) -> Connect | None:
    attributes = Attributes(element, notices)
    action, method = attributes.text("action"), attributes.method()
    attributes.done()
    _no_text(element, notices)
    streams: list[Stream] = []
    for child in element:
        if child.tag != "Stream":
            attributes.warn(f"<{child.tag}> is not simulated inside <Connect>")
            continue
        stream = _stream(child, notices)
        if stream is not None:
            streams.append(stream)
    if not streams:
        attributes.warn("no usable <Stream>")
        return None
    if len(streams) > 1:
        attributes.warn("one bidirectional stream per call: the first is used")
    return Connect(streams[0], action, method)


def _stream(element: Element, notices: list[Notice]) -> Stream | None:
    attributes = Attributes(element, notices)
    url = attributes.text("url").strip()
    name = attributes.text("name")
    track = attributes.one_of("track", ("inbound_track", "outbound_track", "both_tracks"), "inbound_track")
    if track != "inbound_track":
        attributes.warn("a bidirectional stream has the inbound track only")
    callback, method = attributes.text("statusCallback"), attributes.method("statusCallbackMethod")
    attributes.done()
    parameters: dict[str, str] = {}
    for child in element:
        if child.tag != "Parameter":
            attributes.warn(f"<{child.tag}> is not allowed here")
            continue
        given = Attributes(child, notices)
        key, value = given.text("name"), given.text("value")
        given.done()
        if not key:
            given.warn("no name")
        elif len(key) + len(value) >= PARAMETER_LIMIT:
            given.warn(
                f"name and value must stay under {PARAMETER_LIMIT} characters together; the parameter is dropped"
            )
        else:
            parameters[key] = value
    if not url:
        attributes.warn("no url")
        return None
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        attributes.warn("url does not support query strings; it is dropped: use <Parameter>")
        url = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return Stream(url, name, tuple(parameters.items()), callback, method)


def _record(element: Element, notices: list[Notice]) -> Record:
    attributes = Attributes(element, notices)
    verb = Record(
        action=attributes.text("action"),
        method=attributes.method(),
        timeout_s=attributes.whole("timeout", 1, 600, 5),
        finish_on_key=attributes.keys("finishOnKey", _KEYS),
        max_length_s=attributes.whole("maxLength", 1, 14_400, 3600),
        play_beep=attributes.flag("playBeep", default=True),
        trim=attributes.one_of("trim", ("trim-silence", "do-not-trim"), "trim-silence") == "trim-silence",
        recording_status_callback=attributes.text("recordingStatusCallback"),
        recording_status_callback_method=attributes.method("recordingStatusCallbackMethod"),
        recording_status_callback_events=attributes.words(
            "recordingStatusCallbackEvent", ("in-progress", "completed", "absent"), ("completed",)
        ),
    )
    attributes.ignore("transcribe", "transcribeCallback", "recordingTrack", "channels")
    _leaf(element, notices)
    attributes.done()
    return verb


def _gather(element: Element, notices: list[Notice]) -> Gather:
    attributes = Attributes(element, notices)
    if "dtmf" not in attributes.text("input", "dtmf").split():
        attributes.warn("speech input is not simulated: digits are collected")
    _no_text(element, notices)
    prompts = _read_all(element, {"Say": _say, "Play": _play, "Pause": _pause}, notices)
    verb = Gather(
        action=attributes.text("action"),
        method=attributes.method(),
        timeout_s=attributes.whole("timeout", 1, 600, 5),
        finish_on_key=attributes.keys("finishOnKey", "#"),
        num_digits=attributes.optional_whole("numDigits", 1, 1000),
        action_on_empty_result=attributes.flag("actionOnEmptyResult", default=False),
        prompts=tuple(prompt for prompt in prompts if isinstance(prompt, Say | Play | Pause)),
    )
    attributes.ignore(
        "language", "hints", "speechTimeout", "speechModel", "enhanced", "profanityFilter", "maxSpeechTime",
        "partialResultCallback", "partialResultCallbackMethod", "bargeIn", "debug", "dtmfDetection",
    )  # fmt: skip
    attributes.done()
    return verb


def _dial(element: Element, notices: list[Notice]) -> Dial | None:
    attributes = Attributes(element, notices)
    number, callback, method = (element.text or "").strip(), "", "POST"
    events: tuple[str, ...] = ("completed",)
    for child in element:
        if child.tag != "Number":
            attributes.warn(f"<{child.tag}> is not simulated: only <Number> is")
            continue
        given = Attributes(child, notices)
        callback, method = given.text("statusCallback"), given.method("statusCallbackMethod")
        events = given.words("statusCallbackEvent", _CALL_EVENTS, ("completed",))
        given.ignore("sendDigits", "url", "method", "byoc")
        given.done()
        number = number or (child.text or "").strip()
    verb = Dial(
        number=number,
        action=attributes.text("action"),
        method=attributes.method(),
        timeout_s=attributes.whole("timeout", 5, 600, 30),
        caller_id=attributes.text("callerId"),
        hangup_on_star=attributes.flag("hangupOnStar", default=False),
        time_limit_s=attributes.whole("timeLimit", 1, 86_400, 4 * 3600),
        status_callback=callback,
        status_callback_method=method,
        status_callback_events=events,
    )
    attributes.ignore(
        "answerOnBridge", "record", "trim", "ringTone", "recordingStatusCallback", "recordingStatusCallbackMethod",
        "recordingStatusCallbackEvent", "recordingTrack", "sequential", "referUrl", "referMethod",
    )  # fmt: skip
    attributes.done()
    if not number:
        attributes.warn("nobody to dial")
        return None
    return verb


_VERBS: dict[str, Reader] = {
    "Say": _say,
    "Play": _play,
    "Pause": _pause,
    "Redirect": _redirect,
    "Hangup": _hangup,
    "Reject": _reject,
    "Connect": _connect,
    "Record": _record,
    "Gather": _gather,
    "Dial": _dial,
}
