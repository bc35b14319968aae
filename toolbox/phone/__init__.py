"""The telephone in a box: a faithful simulated Twilio for demo, tests, doctor and benches.

async with SimulatedTwilio(auth_token="secret") as phone:
    phone.add_number("+15005550001", "http://127.0.0.1:8080/voice/webhook")
    async with phone.call(to="+15005550001", from_="+15005550006") as call:
        await call.connected()
        spoken = await (await call.speak("what time is it")).finished()
        replied_at = await call.hears(after=spoken.speech_ended_at)
"""

from toolbox.phone.call import Call, CallEndedError
from toolbox.phone.call_record import Status, VerbNote, WebhookNote
from toolbox.phone.exchange import BusyError, SayVoice
from toolbox.phone.heard import ClearArrival, Heard, HeardMark, MediaArrival
from toolbox.phone.knobs import Knobs
from toolbox.phone.line import over_telephone, room_noise
from toolbox.phone.microphone import Spoken
from toolbox.phone.notices import Notice
from toolbox.phone.numbers import IncomingNumber, Subscriber
from toolbox.phone.playout import MarkEcho, Playout
from toolbox.phone.recordings import Recording
from toolbox.phone.rest_faults import RestFaults
from toolbox.phone.signature import sign
from toolbox.phone.simulated import SimulatedTwilio
from toolbox.phone.stream import MediaStream, StreamEnd
from toolbox.phone.twiml import TwimlError, parse_twiml
from toolbox.phone.voice import speak
from toolbox.phone.webhooks import SignedRequest, WebhookError, WebhookReply, signed_request
from toolbox.phone.websocket import WebsocketLink, open_websocket
from toolbox.phone.websocket_events import Closing, StreamConnectError, WebsocketListener

__all__ = [
    "BusyError",
    "Call",
    "CallEndedError",
    "ClearArrival",
    "Closing",
    "Heard",
    "HeardMark",
    "IncomingNumber",
    "Knobs",
    "MarkEcho",
    "MediaArrival",
    "MediaStream",
    "Notice",
    "Playout",
    "Recording",
    "RestFaults",
    "SayVoice",
    "SignedRequest",
    "SimulatedTwilio",
    "Spoken",
    "Status",
    "StreamConnectError",
    "StreamEnd",
    "Subscriber",
    "TwimlError",
    "VerbNote",
    "WebhookError",
    "WebhookNote",
    "WebhookReply",
    "WebsocketLink",
    "WebsocketListener",
    "open_websocket",
    "over_telephone",
    "parse_twiml",
    "room_noise",
    "sign",
    "signed_request",
    "speak",
]
