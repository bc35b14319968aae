"""Performing TwiML: fetches documents, performs their verbs in order, and finds out what comes next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin

from toolbox.phone.call import Call
from toolbox.phone.call_record import VerbNote
from toolbox.phone.dialling import dial
from toolbox.phone.exchange import Exchange
from toolbox.phone.listening import Listening
from toolbox.phone.notices import HTTP_RETRIEVAL_FAILURE, INVALID_CONTENT_TYPE, Notice
from toolbox.phone.prompts import Prompts
from toolbox.phone.steps import Step
from toolbox.phone.streaming import connect
from toolbox.phone.twiml import TwimlError, parse_twiml
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
    Verb,
)
from toolbox.phone.webhooks import WebhookError, signed_request

_XML_TYPES = frozenset({"text/xml", "application/xml", "text/html"})
"""Twilio reads HTML as TwiML too; anything but these, text and audio is 12300."""


class RejectedError(Exception):
    """The first verb of an unanswered call was `<Reject>`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing follows: the call ends."""


class Flow:
    """Performs one call's documents. Cancelled for a hang-up or a live update: every verb tidies up after itself."""

    def __init__(self, exchange: Exchange, call: Call, answer: Callable[[], None]) -> None:
        self._exchange = exchange
        self._call = call
        self._answer = answer
        self._base = ""
        self._current = Step()
        self._prompts = Prompts(exchange, call)
        self._listening = Listening(exchange, call, self._prompts)

    async def follow(self, first: Step) -> None:
        """Perform a document and whatever it leads to, until nothing is left.

        Raises:
            RejectedError: The call was refused before it was answered.
        """
        step: Step | None = first
        steps = 0
        while step is not None:
            steps += 1
            if steps > self._exchange.knobs.max_steps:
                self._call.notices.append(Notice(HTTP_RETRIEVAL_FAILURE, "endless redirects"))
                return
            document = await self._read(step)
            if document is None:
                # "We are sorry, an application error has occurred. Goodbye."
                self._answer()
                self._note("application-error", "")
                return
            self._call.notices.extend(document.notices)
            step = await self._perform(document)

    async def after_hang_up(self) -> None:
        """What is still requested when the caller has hung up: the action of a recording in progress."""
        step = self._listening.take_unfinished()
        if step is not None:
            await self._read(step)

    async def _read(self, step: Step) -> Document | None:
        """The document of a step; None when there is none to perform."""
        self._current = step
        if step.twiml is not None:
            body: bytes | None = step.twiml.encode()
        else:
            self._base = urljoin(self._base, step.url)
            body = await self._fetch(step)
        if body is None:
            return None
        try:
            return parse_twiml(body) if body.strip() else Document()
        except TwimlError as error:
            self._call.notices.append(error.notice)
            return None

    async def _fetch(self, step: Step) -> bytes | None:
        parameters = self._exchange.parameters_of(self._call) | dict(step.parameters)
        request = signed_request(self._exchange.auth_token, self._base, parameters, method=step.method)
        try:
            reply = await self._exchange.send(self._call, request)
        except WebhookError as error:
            self._call.notices.append(error.notice)
            if not step.fallback_url:
                return None
            failed = (("ErrorCode", str(error.notice.code)), ("ErrorUrl", self._base))
            self._base = urljoin(self._base, step.fallback_url)
            return await self._fetch(Step(step.fallback_url, step.method, parameters=step.parameters + failed))
        if not reply.body.strip() or reply.content_type in _XML_TYPES:
            return reply.body
        self._call.notices.append(Notice(INVALID_CONTENT_TYPE, f"{reply.content_type or 'none'} is not TwiML"))
        return None

    async def _perform(self, document: Document) -> Step | None:
        if not self._call.handset.running and document.verbs and isinstance(document.verbs[0], Reject):
            self._note("Reject", document.verbs[0].reason)
            raise RejectedError(document.verbs[0].reason)
        self._answer()
        for verb in document.verbs:
            outcome = await self._verb(verb)
            if isinstance(outcome, _End):
                return None
            if outcome is not None:
                return outcome
        return None

    async def _verb(self, verb: Verb) -> Step | _End | None:
        note = self._note(type(verb).__name__, _detail(verb))
        try:
            if isinstance(verb, Hangup | Reject):
                return _End()
            if isinstance(verb, Say | Play | Pause):
                await self._prompts.perform(verb, self._base)
                return None
            return self._resolved(await self._leading_on(verb))
        finally:
            note.ended_at = self._exchange.clock()

    async def _leading_on(self, verb: Connect | Record | Gather | Dial | Redirect) -> Step | None:
        """Perform a verb that may lead to another document."""
        match verb:
            case Connect():
                return await connect(self._exchange, self._call, verb, self._base)
            case Record():
                return await self._listening.record(verb, self._base)
            case Gather():
                return await self._listening.gather(verb, self._base)
            case Dial():
                return await dial(self._exchange, self._call, verb, self._base)
            case Redirect(url, method):
                return Step(url, method)

    def _resolved(self, step: Step | None) -> Step | None:
        """A step to an empty URL is a step to the current document."""
        if step is None or step.url or step.twiml is not None:
            return step
        if self._current.twiml is not None:
            return Step(twiml=self._current.twiml)
        return Step(self._base, step.method, parameters=step.parameters)

    def _note(self, name: str, detail: str) -> VerbNote:
        note = VerbNote(name, detail, self._exchange.clock())
        self._call.verbs.append(note)
        self._call.touch()
        return note


def _detail(verb: Verb) -> str:
    """What the transcript of verbs says of one: the text, the URL, the number."""
    if isinstance(verb, Connect):
        return verb.stream.url
    for name in ("text", "url", "digits", "number", "reason", "length_s"):
        value = getattr(verb, name, "")
        if value:
            return str(value)
    return ""
