"""Twilio's requests: a call comes in, a stream has ended, a call has changed its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.calls import Call, CarrierState, Next
from gateway.inbound import may_call
from gateway.observing import GatewayMetrics
from gateway.settings import GatewaySettings
from gateway.switchboard import Switchboard
from gateway.tokens import TokenKind, TokenMint
from gateway.twilio import twiml
from gateway.twilio.signature import SignatureCheck
from servicekit.logs import bind_call, get_logger

_log = get_logger(__name__)

STREAM_PATH: Final = "/voice/stream"
RESUME_PATH: Final = "/voice/resume"
_FORM: Final = "application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 200
_MAX_FIELD_CHARS: Final = 256
_STATES: Final = {
    "queued": CarrierState.INITIATED,
    "initiated": CarrierState.INITIATED,
    "ringing": CarrierState.RINGING,
    "answered": CarrierState.ANSWERED,
    "in-progress": CarrierState.ANSWERED,
    "completed": CarrierState.OVER,
    "busy": CarrierState.OVER,
    "failed": CarrierState.OVER,
    "no-answer": CarrierState.OVER,
    "canceled": CarrierState.OVER,
}


@dataclass(frozen=True, slots=True)
class _Form:
    """A signed form of our account, about one call."""

    call_sid: str
    fields: dict[str, str]


class TwilioWebhooks:
    """The routes that Twilio posts to."""

    def __init__(
        self,
        switchboard: Switchboard,
        *,
        settings: GatewaySettings,
        public_url: str,
        signatures: SignatureCheck,
        mint: TokenMint,
        metrics: GatewayMetrics,
    ) -> None:
        """`public_url` is the settings' with its port filled in."""
        self._switchboard = switchboard
        self._settings = settings
        self._public_url = public_url
        self._signatures = signatures
        self._mint = mint
        self._metrics = metrics

    # ----------------------------------------------------------------------------------------------------- routes

    async def voice(self, request: Request) -> Response:
        """`POST /voice/webhook`: the telephone rings."""
        return _twiml(await self._answer(await self._form(request)))

    async def resume(self, request: Request) -> Response:
        """`POST /voice/resume/<nonce>`: a stream has ended; what now?"""
        form = await self._form(request)
        nonce: str = request.path_params["nonce"]
        call = self._switchboard.registry.find_by_nonce(nonce)
        if call is None:
            if self._switchboard.registry.find(form.call_sid) is not None:
                raise HTTPException(404)
            # Another process answered this call and is gone, and its memory with it. The caller is still there.
            _log.warning("call taken over without its past")
            return _twiml(await self._answer(form))
        if call.carrier_call_id != form.call_sid:
            raise HTTPException(404)
        with bind_call(call.call_id):
            async with call.lock:
                answer = call.answers.get(nonce)
                if answer is None:
                    answer = call.answers[nonce] = self._go_on(call)
        return _twiml(answer)

    async def status(self, request: Request) -> Response:
        """`POST /voice/status`: the carrier reports a state. Late and repeated reports change nothing."""
        form = await self._form(request)
        call = self._switchboard.registry.find(form.call_sid)
        state = _STATES.get(form.fields.get("CallStatus", ""))
        if call is not None and state is not None and call.advance(state) and state is CarrierState.OVER:
            self._switchboard.carrier_ended(call)
        return Response(status_code=204)

    # ---------------------------------------------------------------------------------------------------- answers

    async def _answer(self, form: _Form) -> str:
        caller = form.fields.get("From", "")
        if not may_call(self._settings.inbound, caller):
            self._metrics.call_refused("policy")
            _log.info("call refused", why="inbound policy", policy=self._settings.inbound.policy)
            return twiml.refuse()
        call = self._switchboard.registry.find(form.call_sid)
        if call is None:
            call = self._switchboard.admit(form.call_sid, caller=caller, dialled=form.fields.get("To", ""))
        if call is None:
            return twiml.busy()
        with bind_call(call.call_id):
            async with call.lock:
                answer = call.answers.get("")
                if answer is None:
                    answer = call.answers[""] = await self._first_answer(call)
        return answer

    async def _first_answer(self, call: Call) -> str:
        _log.info("call comes in")
        if not await self._switchboard.prepare(call):
            _log.warning("call refused", why="the orchestrator is full")
            self._metrics.call_refused("orchestrator full")
            self._switchboard.registry.end(call)
            return twiml.busy()
        return self._connect(call, TokenKind.FIRST)

    def _go_on(self, call: Call) -> str:
        if call.next is Next.HANG_UP:
            return twiml.hang_up()
        if call.next is Next.DIAL:
            return twiml.dial(call.dial_number)
        if call.next is Next.APOLOGISE or call.over or call.resumes >= self._settings.stream.max_resumes:
            _log.warning("call ends with an apology", resumes=call.resumes)
            self._switchboard.carrier_ended(call)
            return twiml.apologise(self._settings.twilio.apology, self._settings.twilio.apology_language)
        call.resumes += 1
        _log.info("stream to be resumed", resumes=call.resumes)
        return self._connect(call, TokenKind.RESUME)

    def _connect(self, call: Call, kind: TokenKind) -> str:
        return twiml.connect(
            stream_url="ws" + self._public_url.removeprefix("http") + STREAM_PATH,
            token=self._mint.issue(kind, call.carrier_call_id),
            resume_url=f"{self._public_url}{RESUME_PATH}/{self._switchboard.registry.next_nonce(call)}",
        )

    # --------------------------------------------------------------------------------------------------- requests

    async def _form(self, request: Request) -> _Form:
        """Read and check a request.

        Raises:
            HTTPException: 413 too large, 415 no form, 408 body too late, 403 not from our account, 400 no call.
        """
        limit = self._settings.web.max_body_bytes
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length[:20]) > limit:
            raise HTTPException(413)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise HTTPException(415)
        try:
            pairs = parse_qsl(
                (await _body(request, limit)).decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_FIELDS
            )
        except ValueError:
            raise HTTPException(400) from None
        query = request.scope["query_string"].decode("latin-1")
        target = request.scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        fields = dict(pairs)
        if not self._signatures.request(request.headers, target, pairs):
            _log.warning("request refused", why="not signed by Twilio", path=request.scope["route"].path)
            raise HTTPException(403)
        if fields.get("AccountSid") != self._settings.twilio.account_sid:
            _log.warning("request refused", why="another account")
            raise HTTPException(403)
        call_sid = fields.get("CallSid", "")
        if not call_sid or any(len(fields.get(name, "")) > _MAX_FIELD_CHARS for name in ("CallSid", "From", "To")):
            raise HTTPException(400)
        return _Form(call_sid, fields)


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > limit:
                raise HTTPException(413)
    except ClientDisconnect:
        raise HTTPException(400) from None
    return bytes(body)


def _twiml(document: str) -> Response:
    return Response(document, media_type="application/xml")
