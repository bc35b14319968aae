"""One call: its public record, and what the person holding the telephone can do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from toolbox.phone.call_record import ENDED, CallbackPlan, Direction, Status, VerbNote, WebhookNote
from toolbox.phone.handset import Handset
from toolbox.phone.heard import Heard
from toolbox.phone.identifiers import new_sid
from toolbox.phone.knobs import Knobs
from toolbox.phone.line import over_telephone
from toolbox.phone.microphone import Spoken
from toolbox.phone.notices import Notice
from toolbox.phone.recordings import Recording
from toolbox.phone.steps import Order
from toolbox.phone.stream import MediaStream
from toolbox.phone.voice import speak
from toolbox.phone.wav import write_wav


class CallEndedError(Exception):
    """The call ended before what was waited for happened; the message tells its status and the debugger's entries."""


class Call:
    """A call as its person sees it. As a context manager it is begun on entry and hung up on exit."""

    def __init__(
        self,
        *,
        account_sid: str,
        from_: str,
        to: str,
        direction: Direction,
        knobs: Knobs,
        clock: Callable[[], float],
        created: datetime,
        callbacks: CallbackPlan,
        begin: Callable[[Call], None],
        extra: Sequence[tuple[str, str]] = (),
        parent_sid: str = "",
    ) -> None:
        self.sid = new_sid("CA")
        self.account_sid = account_sid
        self.from_ = from_
        self.to = to
        self.direction = direction
        self.parent_sid = parent_sid
        self.callbacks = callbacks
        self.status: Status = "queued"
        self.answered_by: str | None = None
        self.created = self.updated = created
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self.seconds = 0
        self.notices: list[Notice] = []
        self.verbs: list[VerbNote] = []
        self.webhooks: list[WebhookNote] = []
        self.streams: list[MediaStream] = []
        self.recordings: list[Recording] = []
        self.legs: list[Call] = []
        self.failure: BaseException | None = None
        self.handset = Handset(knobs, clock)
        self.extra = tuple(extra)
        self._clock = clock
        self._knobs = knobs
        self._begin = begin
        self._orders: asyncio.Queue[Order] = asyncio.Queue(maxsize=100)
        self._over = asyncio.Event()
        self._released = False

    # Beginning and ending.

    async def __aenter__(self) -> Self:
        self._begin(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()
        # A scenario that failed reports its own error, not the call's.
        if error is None:
            await self.wait_ended()
        else:
            await self._over.wait()

    def hang_up(self) -> None:
        """Put the receiver down."""
        self.order(Order("hang_up"))

    async def wait_ended(self) -> Status:
        """Wait for the end of the call, whoever ends it; returns its final status.

        Raises:
            Exception: What went wrong inside the simulation or in a subscriber's behaviour, if anything did.
        """
        await self._over.wait()
        if self.failure is not None:
            raise self.failure
        return self.status

    @property
    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self.status in ENDED

    # What happens on the line.

    @property
    def heard(self) -> Heard:
        """What reached this person's ear, and when."""
        return self.handset.heard

    @property
    def stream(self) -> MediaStream:
        """The newest media stream.

        Raises:
            LookupError: There was none.
        """
        if not self.streams:
            raise LookupError("this call has no media stream")
        return self.streams[-1]

    async def answered(self) -> None:
        """Wait until the call is answered.

        Raises:
            CallEndedError: It ended unanswered.
        """
        await self._until(lambda: self.handset.running, "it was answered")

    async def connected(self, nth: int = 1) -> MediaStream:
        """Wait until the n-th media stream of this call has started (1 is the first, 2 follows a redirect).

        Raises:
            CallEndedError: The call ended before.
        """
        await self._until(lambda: len(self._started()) >= nth, f"stream {nth} was connected")
        return self._started()[nth - 1]

    async def hears(self, level_dbfs: float = -45.0, *, after: float | None = None) -> float:
        """Wait for agent audio above a level that arrives after a time (now); returns its arrival time.

        Raises:
            CallEndedError: The call ended before.
        """
        since = self._clock() if after is None else after
        found: list[float] = []

        def arrived() -> bool:
            at = self.heard.first_received_above(level_dbfs, after=since)
            if at is not None:
                found.append(at)
            return at is not None

        await self._until(arrived, "anything was heard")
        return found[-1]

    async def hears_silence(self, seconds: float = 0.8, level_dbfs: float = -45.0) -> float:
        """Wait until nothing above a level has been played for so long; returns when the last sound ended.

        Raises:
            CallEndedError: The call ended before.
        """
        loud = since = self._clock()
        while True:
            if self.is_over:
                raise CallEndedError(self._ended_before("the agent fell silent"))
            # What was buffered counts as heard until it has been played, unless a `clear` took it away.
            loud = max(since, min(loud, self.heard.time_of(len(self.heard.track))))
            loud = max(loud, self.heard.last_heard_above(level_dbfs, after=loud) or loud)
            wait = loud + seconds - self._clock()
            if wait <= 0:
                return loud
            await self.handset.changes.next(wait)

    # What the person does.

    def say(
        self,
        samples: NDArray[np.float32],
        rate_hz: int,
        *,
        level_dbfs: float | None = None,
        snr_db: float | None = None,
    ) -> Spoken:
        """Speak: mono float32 [n] in [-1, 1), sent through the telephone band behind what is queued already."""
        return self.play_mulaw(over_telephone(samples, rate_hz, level_dbfs=level_dbfs, snr_db=snr_db))

    def play_mulaw(self, audio: bytes) -> Spoken:
        """Speak prepared audio: μ-law at 8 kHz."""
        return self.handset.microphone.queue(audio)

    async def speak(self, text: str, voice: str = "en", *, rate_wpm: int = 160, pitch: int = 50) -> Spoken:
        """Speak a text with a synthetic voice."""
        samples, rate_hz = await asyncio.to_thread(speak, text, voice, rate_wpm=rate_wpm, pitch=pitch)
        return self.say(samples, rate_hz, level_dbfs=-20.0)

    def stay_silent(self, seconds: float) -> None:
        """Queue a pause behind what is queued already."""
        self.handset.microphone.stay_silent(seconds)

    def stop_speaking(self) -> None:
        """Break off; what is queued is forgotten."""
        self.handset.microphone.stop_speaking()

    def background(self, level_dbfs: float | None, seed: int = 0) -> None:
        """Fill the pauses with room noise at a level instead of digital silence (None)."""
        self.handset.microphone.set_background(level_dbfs, seed)

    def press(self, keys: str, *, gap_s: float = 0.25) -> None:
        """Press keys one after another; `w` waits half a second."""
        if not keys or set(keys) - set("0123456789*#ABCDw"):
            raise ValueError("keys are 0-9, *, #, A-D and w")
        self.handset.press(keys, gap_s)

    # Faults.

    def send_raw(self, data: str | bytes) -> None:
        """Send any message on the stream: text or binary."""
        self.stream.send_raw(data)

    def drop_socket(self, *, reset: bool = True) -> None:
        """Drop the stream's TCP connection without a `stop`; the call itself goes on."""
        if self.stream.link is not None:
            self.stream.link.drop(reset=reset)

    def stop_reading(self) -> None:
        """Leave what the server sends in the socket."""
        if self.stream.link is not None:
            self.stream.link.stop_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self.stream.link is not None:
            self.stream.link.resume_reading()

    def go_half_open(self) -> None:
        """Send and read nothing any more, but keep the connection: as after a network that vanished."""
        if self.stream.link is not None:
            self.stream.link.go_silent()

    def rush(self, times: int = 10, seconds: float = 1.0) -> None:
        """Send media at a multiple of real time for a while."""
        self.stream.flood(times, seconds)

    # Keeping it.

    def write_wav(self, path: Path) -> None:
        """Write both sides time-aligned: the person left, what they heard right. 16-bit PCM, 8 kHz."""
        end = self.handset.microphone.position
        start = max(self.handset.microphone.track.base, self.heard.track.base)
        write_wav(path, self.handset.microphone.track.read(start, end), self.heard.track.read(start, end))

    # For the exchange.

    def order(self, order: Order) -> None:
        """Have the call do something else: hang up, or perform other TwiML."""
        if not self.is_over and not self._orders.full():
            self._orders.put_nowait(order)

    async def next_order(self) -> Order:
        """Wait for the next order."""
        return await self._orders.get()

    def touch(self, status: Status | None = None) -> None:
        """Something about the call has changed."""
        if status is not None:
            self.status = status
        self.handset.changes.touch()

    def finish(self) -> None:
        """The last word: wakes everybody who waits for the end."""
        self._over.set()
        self.handset.changes.touch()

    def _started(self) -> list[MediaStream]:
        return [stream for stream in self.streams if stream.started.is_set()]

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        await self.handset.changes.until(lambda: condition() or self._over.is_set())
        if not condition():
            raise CallEndedError(self._ended_before(what))

    def _ended_before(self, what: str) -> str:
        notices = "; ".join(str(notice) for notice in self.notices) or "no notices"
        return f"the call ended ({self.status}) before {what}: {notices}"
