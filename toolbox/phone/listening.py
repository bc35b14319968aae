"""`<Record>` and `<Gather>`: what the exchange takes down of the caller."""

from __future__ import annotations

import asyncio
import email.utils
from urllib.parse import urljoin

from toolbox.phone.call import Call
from toolbox.phone.capture import DigitCollector, Recorder
from toolbox.phone.changes import Changes
from toolbox.phone.exchange import Exchange
from toolbox.phone.prompts import Prompts
from toolbox.phone.recordings import Recording
from toolbox.phone.steps import Step
from toolbox.phone.verbs import Gather, Record


class Listening:
    """Listens to one call."""

    def __init__(self, exchange: Exchange, call: Call, prompts: Prompts) -> None:
        self._exchange = exchange
        self._call = call
        self._prompts = prompts
        self._unfinished: tuple[Record, Recorder, str] | None = None

    async def record(self, verb: Record, base: str) -> Step | None:
        """Record; the next step is the action, or None when nothing was recorded."""
        if verb.play_beep:
            await self._prompts.beep()
        changes = Changes()
        recorder = Recorder(
            timeout_s=verb.timeout_s,
            max_length_s=verb.max_length_s,
            finish_on_key=verb.finish_on_key,
            floor_dbfs=self._exchange.knobs.voice_floor_dbfs,
            on_end=changes.touch,
        )
        self._unfinished = (verb, recorder, base)
        self._call.handset.attach(recorder)
        try:
            await changes.until(lambda: recorder.ended is not None)
        finally:
            self._call.handset.detach(recorder)
        self._unfinished = None
        return self._finish(verb, recorder, base)

    def take_unfinished(self) -> Step | None:
        """End the recording that the hang-up interrupted; the step its action asks for."""
        if self._unfinished is None:
            return None
        verb, recorder, base = self._unfinished
        self._unfinished = None
        recorder.end("hangup")
        step = self._finish(verb, recorder, base)
        # Without an action the "current document" has nobody left to perform it for.
        return step if verb.action else None

    def _finish(self, verb: Record, recorder: Recorder, base: str) -> Step | None:
        audio = recorder.audio(trim=verb.trim)
        if not audio:
            self._announce(verb, base, None, "absent")
            return None
        recording = self._exchange.keep_recording(self._call, (audio,), "RecordVerb")
        self._announce(verb, base, recording, "completed")
        parameters = (
            ("RecordingUrl", self._exchange.recording_url(recording)),
            ("RecordingSid", recording.sid),
            ("RecordingDuration", str(recording.seconds)),
            ("Digits", recorder.digits),
        )
        return Step(urljoin(base, verb.action) if verb.action else "", verb.method, parameters=parameters)

    def _announce(self, verb: Record, base: str, recording: Recording | None, status: str) -> None:
        if not verb.recording_status_callback or status not in verb.recording_status_callback_events:
            return
        parameters = {
            "AccountSid": self._exchange.account_sid,
            "CallSid": self._call.sid,
            "RecordingStatus": status,
            "RecordingChannels": "1",
            "RecordingSource": "RecordVerb",
            "RecordingTrack": "both",
        }
        if recording is not None:
            parameters |= {
                "RecordingSid": recording.sid,
                "RecordingUrl": self._exchange.recording_url(recording),
                "RecordingDuration": str(recording.seconds),
                "RecordingStartTime": email.utils.format_datetime(recording.started),
            }
        url = urljoin(base, verb.recording_status_callback)
        method = verb.recording_status_callback_method
        self._exchange.run_beside(self._exchange.callback(self._call, url, method, parameters))

    async def gather(self, verb: Gather, base: str) -> Step | None:
        """Collect digits; the next step is the action, or None when there were none."""
        changes = Changes()
        collector = DigitCollector(
            num_digits=verb.num_digits, finish_on_key=verb.finish_on_key, on_change=changes.touch
        )
        self._call.handset.attach(collector)
        try:
            await self._prompt_until_pressed(verb, base, collector, changes)
            while not collector.finished:
                presses = collector.presses
                await changes.next(verb.timeout_s)
                if collector.presses == presses:
                    break
        finally:
            self._call.handset.detach(collector)
        if not collector.digits and not verb.action_on_empty_result:
            return None
        url = urljoin(base, verb.action) if verb.action else ""
        return Step(url, verb.method, parameters=(("Digits", collector.digits), ("msg", "Gather End")))

    async def _prompt_until_pressed(self, verb: Gather, base: str, collector: DigitCollector, changes: Changes) -> None:
        """Play the prompts; the first key stops them."""

        async def play() -> None:
            for prompt in verb.prompts:
                await self._prompts.perform(prompt, base)

        playing = asyncio.create_task(play())
        pressed = asyncio.create_task(changes.until(lambda: collector.presses > 0))
        try:
            await asyncio.wait({playing, pressed}, return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                playing.result()
        finally:
            playing.cancel()
            pressed.cancel()
            await asyncio.gather(playing, pressed, return_exceptions=True)
