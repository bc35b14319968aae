"""The simulated REST API: enough of 2010-04-01 for the unmodified `twilio` SDK to place, steer and reconcile calls."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from toolbox.phone.call import Call
from toolbox.phone.exchange import BusyError, Exchange
from toolbox.phone.numbers import IncomingNumber
from toolbox.phone.recordings import Recording
from toolbox.phone.resources import (
    API_VERSION,
    Resource,
    account_resource,
    call_resource,
    number_resource,
    recording_resource,
)
from toolbox.phone.rest_calls import ApiError, place_call, update_call
from toolbox.phone.rest_faults import RestFaults

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]
_MAX_BODY = 64 * 1024
_MAX_PAGE = 1000


class RestApi:
    """The HTTP surface over an exchange; `app` is the ASGI application."""

    def __init__(self, exchange: Exchange, faults: RestFaults) -> None:
        self._exchange = exchange
        self._faults = faults
        self.closing = asyncio.Event()
        route = self._route
        account = [
            route("/Calls.json", self._list_calls, "GET"),
            route("/Calls.json", self._create_call, "POST"),
            route("/Calls/{sid}.json", self._fetch_call, "GET"),
            route("/Calls/{sid}.json", self._update_call, "POST"),
            route("/Calls/{sid}/Recordings.json", self._list_recordings, "GET"),
            route("/Recordings.json", self._list_recordings, "GET"),
            route("/Recordings/{sid}.json", self._fetch_recording, "GET"),
            route("/Recordings/{sid}.json", self._delete_recording, "DELETE"),
            route("/Recordings/{sid}.wav", self._recording_media, "GET"),
            route("/Recordings/{sid}", self._recording_media, "GET"),
            route("/IncomingPhoneNumbers.json", self._list_numbers, "GET"),
            route("/IncomingPhoneNumbers/{sid}.json", self._fetch_number, "GET"),
            route("/IncomingPhoneNumbers/{sid}.json", self._update_number, "POST"),
        ]
        self.app = Starlette(
            routes=[
                Route(f"/{API_VERSION}/Accounts/{{account}}.json", self._guarded(self._fetch_account)),
                Mount(f"/{API_VERSION}/Accounts/{{account}}", routes=account),
            ]
        )

    def _route(self, path: str, handler: Handler, method: str) -> Route:
        return Route(path, self._guarded(handler), methods=[method])

    def _guarded(self, handler: Handler) -> Handler:
        """Twilio's error bodies around a handler."""

        async def guarded(request: Request) -> Response:
            try:
                return await self._with_faults(request, handler)
            except ApiError as error:
                return JSONResponse(
                    {
                        "code": error.code,
                        "message": error.message,
                        "more_info": f"https://www.twilio.com/docs/errors/{error.code}",
                        "status": error.status,
                    },
                    error.status,
                )

        return guarded

    async def _with_faults(self, request: Request, handler: Handler) -> Response:
        self._authenticate(request)
        fault = self._faults.take(request.method, request.url.path)
        if fault == "too_many_requests":
            raise ApiError(429, 20429, "Too Many Requests")
        if fault == "unavailable":
            raise ApiError(503, 20503, "Service Unavailable")
        response = await handler(request)
        if fault == "unavailable_after":
            raise ApiError(503, 20503, "Service Unavailable")
        if fault == "no_answer_after":
            await self.closing.wait()
        return response

    def _authenticate(self, request: Request) -> None:
        kind, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True) if kind.lower() == "basic" else b""
        except (binascii.Error, ValueError):
            given = b""
        expected = f"{self._exchange.account_sid}:{self._exchange.auth_token}".encode()
        if not hmac.compare_digest(given, expected):
            raise ApiError(401, 20003, "Authenticate")
        if request.path_params["account"] != self._exchange.account_sid:
            raise ApiError(404, 20404, f"The requested resource {request.url.path} was not found")

    # Account.

    async def _fetch_account(self, request: Request) -> Response:
        return JSONResponse(account_resource(self._exchange.account_sid))

    # Calls.

    async def _create_call(self, request: Request) -> Response:
        form = await _form(request)
        try:
            call = place_call(self._exchange, form)
        except BusyError as error:
            raise ApiError(429, 20429, str(error)) from error
        return JSONResponse(call_resource(call), 201)

    async def _fetch_call(self, request: Request) -> Response:
        return JSONResponse(call_resource(self._call(request)))

    async def _update_call(self, request: Request) -> Response:
        call = self._call(request)
        await update_call(call, await _form(request))
        return JSONResponse(call_resource(call))

    async def _list_calls(self, request: Request) -> Response:
        query = request.query_params
        found = [call for call in reversed(self._exchange.calls.values()) if _matches(call, query)]
        return self._page(request, "calls", found, call_resource)

    def _call(self, request: Request) -> Call:
        call = self._exchange.calls.get(request.path_params["sid"])
        if call is None:
            raise _not_found(request)
        return call

    # Recordings.

    async def _list_recordings(self, request: Request) -> Response:
        call_sid = request.path_params.get("sid") or request.query_params.get("CallSid")
        found = [one for one in self._exchange.recordings.newest_first() if call_sid in (None, one.call_sid)]
        return self._page(request, "recordings", found, self._recording_resource)

    async def _fetch_recording(self, request: Request) -> Response:
        return JSONResponse(self._recording_resource(self._recording(request)))

    async def _delete_recording(self, request: Request) -> Response:
        self._exchange.recordings.remove(self._recording(request).sid)
        return Response(status_code=204)

    async def _recording_media(self, request: Request) -> Response:
        wav = self._recording(request).fetch_wav()
        if wav is None:
            raise _not_found(request)
        return Response(wav, media_type="audio/x-wav")

    def _recording(self, request: Request) -> Recording:
        recording = self._exchange.recordings.get(request.path_params["sid"])
        if recording is None:
            raise _not_found(request)
        return recording

    def _recording_resource(self, recording: Recording) -> Resource:
        return recording_resource(self._exchange.account_sid, recording, self._exchange.api_base)

    # Numbers.

    async def _list_numbers(self, request: Request) -> Response:
        wanted = request.query_params.get("PhoneNumber")
        found = [one for one in self._exchange.numbers.values() if wanted in (None, one.number)]
        return self._page(request, "incoming_phone_numbers", found, self._number_resource)

    async def _fetch_number(self, request: Request) -> Response:
        return JSONResponse(self._number_resource(self._number(request)))

    async def _update_number(self, request: Request) -> Response:
        number = self._number(request)
        for name, value in await _form(request):
            match name:
                case "VoiceUrl":
                    number.voice_url = value
                case "VoiceMethod":
                    number.voice_method = value
                case "VoiceFallbackUrl":
                    number.voice_fallback_url = value
                case "StatusCallback":
                    number.status_callback = value
                case "StatusCallbackMethod":
                    number.status_callback_method = value
                case "FriendlyName":
                    number.friendly_name = value
        number.updated = self._exchange.wall()
        return JSONResponse(self._number_resource(number))

    def _number(self, request: Request) -> IncomingNumber:
        sid = request.path_params["sid"]
        number = next((one for one in self._exchange.numbers.values() if one.sid == sid), None)
        if number is None:
            raise _not_found(request)
        return number

    def _number_resource(self, number: IncomingNumber) -> Resource:
        return number_resource(self._exchange.account_sid, number)

    # Paging.

    def _page(self, request: Request, key: str, found: Sequence[T], represent: Callable[[T], Resource]) -> Response:
        query = request.query_params
        size = min(_MAX_PAGE, max(1, _number(query.get("PageSize"), 50)))
        page = max(0, _number(query.get("Page"), 0))
        shown = found[page * size : (page + 1) * size]

        def uri(number: int) -> str:
            kept = [(name, value) for name, value in query.multi_items() if name not in ("Page", "PageSize")]
            return f"{request.url.path}?{urlencode([*kept, ('PageSize', size), ('Page', number)])}"

        return JSONResponse(
            {
                key: [represent(one) for one in shown],
                "page": page,
                "page_size": size,
                "start": page * size,
                "end": page * size + max(0, len(shown) - 1),
                "uri": uri(page),
                "first_page_uri": uri(0),
                "next_page_uri": uri(page + 1) if (page + 1) * size < len(found) else None,
                "previous_page_uri": uri(page - 1) if page else None,
            }
        )


async def _form(request: Request) -> list[tuple[str, str]]:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY:
            raise ApiError(413, 20413, "Request body too large")
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def _not_found(request: Request) -> ApiError:
    return ApiError(404, 20404, f"The requested resource {request.url.path} was not found")


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 9 else default


def _matches(call: Call, query: Mapping[str, str]) -> bool:
    fields = {"To": call.to, "From": call.from_, "ParentCallSid": call.parent_sid}
    if any(query.get(name, value) != value for name, value in fields.items()):
        return False
    if query.get("Status") not in (None, call_resource(call)["status"]):
        return False
    return _within(query, "StartTime", call.started or call.created) and (
        _within(query, "EndTime", call.ended) if call.ended is not None else not _asks(query, "EndTime")
    )


def _asks(query: Mapping[str, str], name: str) -> bool:
    return any(name + suffix in query for suffix in ("", "<", ">"))


def _within(query: Mapping[str, str], name: str, moment: datetime) -> bool:
    """`Name` is a day; `Name<` and `Name>` are bounds, inclusive, a day or a time in UTC."""
    day, before, after = (query.get(name + suffix) for suffix in ("", "<", ">"))
    if day is not None and moment.date() != _moment(day).date():
        return False
    # Twilio's times have whole seconds: a bound includes its own second.
    return not (
        (before is not None and moment.replace(microsecond=0) > _moment(before))
        or (after is not None and moment < _moment(after).replace(microsecond=0))
    )


def _moment(text: str) -> datetime:
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiError(400, 20001, "Invalid date") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
