"""The order of messages in each contract, as small sans-IO state machines.

A server feeds what it reads to ``client`` and refuses an :class:`OrderError` with INVALID_ARGUMENT; a client may feed
what it reads to ``server`` to notice a peer that breaks the contract; the contract tests feed both sides. Nothing here
looks at payloads beyond what the order rules need, so the cost on the hot path is a few attribute look-ups.

Source: the comments of the RPCs in ``protos/parley/{stt,tts,conversation}/v1``.
"""

from __future__ import annotations

from parley.conversation.v1 import conversation_pb2 as conv
from parley.stt.v1 import stt_pb2 as stt
from parley.tts.v1 import tts_pb2 as tts

MESSAGE_ORDER = "MESSAGE_ORDER"


class OrderError(Exception):
    """A message came where the contract does not allow it.

    ``reason`` is the ErrorInfo reason to answer with; the message says what came, what was expected and is safe to
    show to the peer (it never holds payloads or text).
    """

    def __init__(self, message: str, reason: str = MESSAGE_ORDER) -> None:
        super().__init__(message)
        self.reason = reason


class _TwoWay:
    """What the three streaming contracts share: a first and a last message on each side."""

    _rpc: str
    _client_first: str
    _client_last: str
    _server_first: str
    _server_last: str

    def __init__(self) -> None:
        self._client_started = False
        self._client_done = False
        self._server_started = False
        self._server_done = False

    @property
    def client_finished(self) -> bool:
        """Whether the client said it was done; a stream that ends without it was abandoned."""
        return self._client_done

    def _client_kind(self, kind: str | None) -> str:
        if kind is None:
            # An unknown member of the oneof: a newer client. Its meaning is lost, so its order cannot be judged.
            raise OrderError(f"{self._rpc}: a message without content, or of a kind this server does not know")
        if self._client_done:
            raise OrderError(f"{self._rpc}: `{kind}` after `{self._client_last}`, which must be last")
        if not self._client_started:
            if kind != self._client_first:
                raise OrderError(f"{self._rpc}: `{kind}` came first; send `{self._client_first}` first")
            self._client_started = True
        elif kind == self._client_first:
            raise OrderError(f"{self._rpc}: a second `{kind}`; it is sent exactly once")
        if kind == self._client_last:
            self._client_done = True
        return kind

    def _server_kind(self, kind: str | None) -> str:
        if kind is None:
            return ""  # A newer server may say more than we know: harmless.
        if self._server_done:
            raise OrderError(f"{self._rpc}: the server sent `{kind}` after `{self._server_last}`, which must be last")
        if not self._server_started:
            if kind != self._server_first:
                raise OrderError(f"{self._rpc}: the server sent `{kind}` before `{self._server_first}`")
            self._server_started = True
        elif kind == self._server_first:
            raise OrderError(f"{self._rpc}: the server sent a second `{kind}`")
        return kind

    def client_closed(self) -> None:
        """The client half-closed: raise OrderError unless it had said it was done."""
        if not self._client_done:
            raise OrderError(f"{self._rpc}: the stream ended without `{self._client_last}`")


class RecognizeOrder(_TwoWay):
    """Order of ``SpeechToText.Recognize``."""

    _rpc = "Recognize"
    _client_first = "config"
    _client_last = "finish"
    _server_first = "ready"
    _server_last = "the final that answers `finish`"

    def __init__(self) -> None:
        super().__init__()
        self._asked: set[int] = set()
        self._answered = 0

    def client(self, message: stt.RecognizeRequest) -> str:
        """Check a client message; return its kind."""
        kind = self._client_kind(message.WhichOneof("message"))
        if kind == "finalize":
            highest = max(self._asked, default=0)
            if message.finalize.id <= highest:
                raise OrderError(f"Recognize: finalize id {message.finalize.id} is not above {highest}")
            # Only the newest can still be answered, beside those already under way: keep the set small.
            self._asked = {i for i in self._asked if i > self._answered} | {message.finalize.id}
        return kind

    def server(self, message: stt.RecognizeResponse) -> str:
        """Check a server message; return its kind ("" for one of a later version)."""
        kind = self._server_kind(message.WhichOneof("message"))
        if kind == "final":
            answered = message.final.finalize_id
            if answered == 0:
                if not self._client_done:
                    raise OrderError("Recognize: the server sent the last final before the client's `finish`")
                self._server_done = True
            elif answered not in self._asked:
                raise OrderError(f"Recognize: the server answered finalize {answered}, which was not asked")
            elif answered <= self._answered:
                raise OrderError(f"Recognize: the server answered finalize {answered} after {self._answered}")
            else:
                self._answered = answered
        return kind


class SynthesizeOrder(_TwoWay):
    """Order of ``TextToSpeech.Synthesize``."""

    _rpc = "Synthesize"
    _client_first = "config"
    _client_last = "finish"
    _server_first = "ready"
    _server_last = "finished"

    def __init__(self) -> None:
        super().__init__()
        self._segment = 0
        self._closed_segment = 0
        self._done_segment = 0
        self._seq = 0

    def client(self, message: tts.SynthesizeRequest) -> str:
        """Check a client message; return its kind."""
        kind = self._client_kind(message.WhichOneof("message"))
        if kind == "text":
            segment = message.text.segment
            if segment < 1:
                raise OrderError("Synthesize: segments count from 1")
            if segment < self._segment:
                raise OrderError(f"Synthesize: text for segment {segment} after segment {self._segment}")
            if segment <= self._closed_segment:
                raise OrderError(f"Synthesize: text for segment {segment}, which a flush had closed")
            self._segment = segment
        elif kind == "flush":
            self._closed_segment = self._segment
        return kind

    def server(self, message: tts.SynthesizeResponse) -> str:
        """Check a server message; return its kind ("" for one of a later version)."""
        kind = self._server_kind(message.WhichOneof("message"))
        if kind == "audio":
            self._check_segment(message.audio.segment)
            if message.audio.seq != self._seq + 1:
                raise OrderError(f"Synthesize: the server sent audio {message.audio.seq} after {self._seq}")
            self._seq += 1
        elif kind == "alignment":
            self._check_segment(message.alignment.segment)
        elif kind == "segment_done":
            self._check_segment(message.segment_done.segment)
            self._done_segment = message.segment_done.segment
        elif kind == "finished":
            if not self._client_done:
                raise OrderError("Synthesize: the server sent `finished` before the client's `finish`")
            if self._done_segment < self._segment:
                raise OrderError(f"Synthesize: the server sent `finished` before segment {self._segment} was done")
            self._server_done = True
        return kind

    def _check_segment(self, segment: int) -> None:
        if segment > self._segment:
            raise OrderError(f"Synthesize: the server speaks segment {segment}, which was never sent")
        if segment <= self._done_segment:
            raise OrderError(f"Synthesize: the server speaks segment {segment} again after it was done")


class ConverseOrder(_TwoWay):
    """Order of ``Conversation.Converse``, including that nothing cleared is ever heard again."""

    _rpc = "Converse"
    _client_first = "start"
    _client_last = "end"
    _server_first = "ready"
    _server_last = "end"

    def __init__(self) -> None:
        super().__init__()
        self._caller_seq = 0
        self._controls: set[int] = set()
        self._control = 0
        self._playout = 0
        self._complete = 0
        self._cleared = 0
        self._audio_seq = 0
        self._mark = 0
        self._checkpoint = 0

    def client(self, message: conv.CallEvent) -> str:
        """Check a gateway message; return its kind."""
        kind = self._client_kind(message.WhichOneof("event"))
        if kind == "audio":
            if message.audio.seq <= self._caller_seq:
                raise OrderError(f"Converse: caller audio {message.audio.seq} after {self._caller_seq}")
            self._caller_seq = message.audio.seq
        elif kind == "start" and message.start.HasField("resume"):
            resume = message.start.resume
            self._playout = resume.highest_playout_id
            self._cleared = self._complete = resume.highest_playout_id
            self._mark = resume.highest_mark
            self._control = resume.highest_call_control_id
            self._checkpoint = resume.checkpoint.seq
        return kind

    def server(self, message: conv.AgentEvent) -> str:
        """Check an orchestrator message; return its kind ("" for one of a later version)."""
        kind = self._server_kind(message.WhichOneof("event"))
        if kind == "playout":
            if message.playout.playout_id <= self._playout:
                raise OrderError(f"Converse: playout {message.playout.playout_id} after {self._playout}")
            self._playout = message.playout.playout_id
            self._audio_seq = 0
        elif kind == "audio":
            self._check_playout(message.audio.playout_id, "audio")
            if message.audio.seq != self._audio_seq + 1:
                raise OrderError(f"Converse: audio {message.audio.seq} after {self._audio_seq} of its playout")
            self._audio_seq += 1
        elif kind == "mark":
            self._check_playout(message.mark.playout_id, "a mark")
            if message.mark.mark <= self._mark:
                raise OrderError(f"Converse: mark {message.mark.mark} after {self._mark}")
            self._mark = message.mark.mark
            if message.mark.last:
                self._complete = message.mark.playout_id
        elif kind == "clear":
            self._cleared = max(self._cleared, message.clear.through_playout_id)
        elif kind == "call_control":
            if message.call_control.id <= self._control:
                raise OrderError(f"Converse: call_control {message.call_control.id} after {self._control}")
            self._control = message.call_control.id
        elif kind == "checkpoint":
            if message.checkpoint.seq <= self._checkpoint:
                raise OrderError(f"Converse: checkpoint {message.checkpoint.seq} after {self._checkpoint}")
            self._checkpoint = message.checkpoint.seq
        elif kind == "end":
            self._server_done = True
        return kind

    def _check_playout(self, playout_id: int, what: str) -> None:
        if playout_id <= self._cleared:
            raise OrderError(f"Converse: {what} of playout {playout_id}, cleared through {self._cleared}")
        if playout_id != self._playout:
            raise OrderError(f"Converse: {what} of playout {playout_id}, but {self._playout} is the current one")
        if playout_id <= self._complete:
            raise OrderError(f"Converse: {what} of playout {playout_id} after its last mark")
