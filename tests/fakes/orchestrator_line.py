"""A fake line and the gateway before it, in fake time: plays what the agent sends and reports it late, twice, mixed up.

The voice is `FakeTts`, whose sound can be read: what was played tells by itself which words were heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

from orchestrator.playout import duration_of
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.protocol import ConverseOrder
from tests.fakes.orchestrator_gateway import FRAME_MS, SILENCE, VOICE
from tests.fakes.orchestrator_tts import BYTES_PER_MS, SAMPLES_PER_CHARACTER, text_in

_FRAME_BYTES = FRAME_MS * BYTES_PER_MS


@dataclass(slots=True)
class LinePlayout:
    """One playout as the line received it."""

    about: conv.Playout
    sound: bytearray = field(default_factory=bytearray)
    texts: list[str] = field(default_factory=list)
    played: int = 0
    """Bytes that the caller has heard."""
    told: int = 0
    """Bytes that the agent was told are heard."""

    @property
    def text(self) -> str:
        """What it says, as far as that was sent."""
        return " ".join(text for text in self.texts if text)

    @property
    def letters(self) -> str:
        """What the sound says that came, blanks left out: there is none between two segments."""
        return text_in(bytes(self.sound)).replace(" ", "")

    def words(self, length: int) -> int:
        """Words of ``text`` that were heard to their end in so many bytes of the sound."""
        letters = len(text_in(bytes(self.sound[: length - length % SAMPLES_PER_CHARACTER])).replace(" ", ""))
        heard = 0
        for word in self.text.split():
            letters -= len(word)
            if letters < 0:
                break
            heard += 1
        return heard


class FakeLine:
    """One call's line. ``read`` and ``write`` are the two ends of Converse that a session is given.

    A report arrives ``lags_ms`` after what it reports, each in turn, so that they overtake one another, and ``copies``
    times; the n-th message is taken after ``stalls_ms``, each in turn.
    """

    def __init__(self, *, lags_ms: Sequence[int], copies: Sequence[int], stalls_ms: Sequence[int]) -> None:
        self._lags, self._copies, self._stalls = cycle(lags_ms), cycle(copies), cycle(stalls_ms)
        self._loop = asyncio.get_running_loop()
        self._order = ConverseOrder()
        self._incoming: asyncio.Queue[conv.CallEvent | None] = asyncio.Queue()
        self._buffer: list[tuple[LinePlayout, bytes | conv.Mark]] = []
        self._came = asyncio.Event()
        self._seq = 0
        self._media_ms = 0.0
        self._cleared = 0
        self._over = False
        self.events: list[tuple[float, conv.AgentEvent]] = []
        """What the agent sent and when, seconds of the loop's clock."""
        self.playouts: dict[int, LinePlayout] = {}
        self.stale: list[int] = []
        """Playouts of which something came after they were cleared."""
        self._lag_timers: list[asyncio.TimerHandle] = []
        self._player = self._loop.create_task(self._play())

    def begin(self, start: conv.Start) -> None:
        """The call begins; the session that is given it reads what follows."""
        self._order.client(conv.CallEvent(start=start))

    def stop(self) -> None:
        """The call is over: nothing plays, and nothing more arrives."""
        self._over = True
        self._player.cancel()
        for timer in self._lag_timers:
            timer.cancel()

    # ------------------------------------------------------------------------------------------------------ the agent

    async def write(self, event: conv.AgentEvent) -> None:
        """Take the agent's next message."""
        if stall_ms := next(self._stalls):
            await asyncio.sleep(stall_ms / 1000)
        kind = self._order.server(event)
        self.events.append((self._loop.time(), event))
        if kind == "playout":
            self._fresh(event.playout.playout_id)
            self.playouts[event.playout.playout_id] = LinePlayout(event.playout)
        elif kind == "audio":
            self._fresh(event.audio.playout_id)
            playout = self.playouts[event.audio.playout_id]
            playout.sound += event.audio.payload
            self._buffer.append((playout, event.audio.payload))
        elif kind == "mark":
            self._fresh(event.mark.playout_id)
            self._buffer.append((self.playouts[event.mark.playout_id], event.mark))
        elif kind == "transcript" and event.transcript.playout_id:
            self._fresh(event.transcript.playout_id)
            self.playouts[event.transcript.playout_id].texts.append(event.transcript.text)
        elif kind == "clear":
            self._clear(event.clear.through_playout_id)
        self._came.set()

    async def read(self) -> conv.CallEvent | None:
        """Give the agent the next message; None at the end. A report counts as told from here on."""
        event = await self._incoming.get()
        if event is not None and event.HasField("playback"):
            playout = self.playouts[event.playback.playout_id]
            self.tell(playout, min(event.playback.position.ToMilliseconds() * BYTES_PER_MS, len(playout.sound)))
        return event

    def tell(self, playout: LinePlayout, length: int) -> None:
        """So much of a playout is reported at this moment."""
        playout.told = max(playout.told, length)

    def _fresh(self, playout_id: int) -> None:
        if playout_id <= self._cleared:
            self.stale.append(playout_id)

    def _clear(self, through: int) -> None:
        self._cleared = through
        dropped = [(playout, item) for playout, item in self._buffer if playout.about.playout_id <= through]
        self._buffer = [(playout, item) for playout, item in self._buffer if playout.about.playout_id > through]
        for playout, item in dropped:
            if isinstance(item, conv.Mark):
                self._report(playout, item.mark, conv.Playback.STATUS_CLEARED)
        if dropped and isinstance(dropped[-1][1], bytes):
            self._report(dropped[-1][0], 0, conv.Playback.STATUS_CLEARED)

    async def _play(self) -> None:
        """Sound the buffer in real time, frame by frame."""
        while True:
            while not self._buffer:
                self._came.clear()
                await self._came.wait()
            playout, item = self._buffer[0]
            if isinstance(item, conv.Mark):
                del self._buffer[0]
                self._report(playout, item.mark, conv.Playback.STATUS_PLAYED)
                continue
            frame, rest = item[:_FRAME_BYTES], item[_FRAME_BYTES:]
            if rest:
                self._buffer[0] = (playout, rest)
            else:
                del self._buffer[0]
            playout.played += len(frame)
            await asyncio.sleep(len(frame) / BYTES_PER_MS / 1000)

    def _report(self, playout: LinePlayout, mark: int, status: conv.Playback.Status.ValueType) -> None:
        report = conv.Playback(
            playout_id=playout.about.playout_id,
            mark=mark,
            status=status,
            position=duration_of(playout.played / BYTES_PER_MS),
        )
        for _ in range(next(self._copies)):
            lag_s = next(self._lags) / 1000
            self._lag_timers.append(self._loop.call_later(lag_s, self._send, conv.CallEvent(playback=report)))

    # ----------------------------------------------------------------------------------------------------- the caller

    async def say(self, ms: int, payload: bytes = VOICE) -> None:
        """Sound from the caller, in real time."""
        for _ in range(ms // FRAME_MS):
            self._seq += 1
            audio = conv.CallerAudio(seq=self._seq, offset=duration_of(self._media_ms), payload=payload)
            self._media_ms += FRAME_MS
            self._send(conv.CallEvent(audio=audio))
            await asyncio.sleep(FRAME_MS / 1000)

    async def be_silent(self, ms: int) -> None:
        """Silence from the caller, in real time."""
        await self.say(ms, SILENCE)

    def press(self, digit: str) -> None:
        """A key."""
        self._send(conv.CallEvent(dtmf=conv.Dtmf(digit=digit)))

    def hang_up(self) -> None:
        """End the call as it should be ended."""
        self._send(conv.CallEvent(end=conv.CallEnd(reason=conv.END_REASON_CALLER_HUNG_UP)))
        self.die()

    def die(self) -> None:
        """End the stream."""
        self._over = True
        self._incoming.put_nowait(None)

    def _send(self, event: conv.CallEvent) -> None:
        if not self._over:
            self._order.client(event)
            self._incoming.put_nowait(event)
