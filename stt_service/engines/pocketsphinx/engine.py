"""pocketsphinx as an engine: a fixed number of decoders, loaded at start, and one thread for all of them."""

from __future__ import annotations

import asyncio
import importlib.metadata
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import LiveResampler, to_int16
from servicekit.logs import get_logger
from servicekit.startup import StartupError
from stt_service.engines.interface import EngineInfo, OnPartial, Request, Transcript
from stt_service.engines.languages import understood
from stt_service.engines.pocketsphinx.acoustics import MODEL_HZ, TELEPHONE_HZ, TelephoneModel
from stt_service.engines.pocketsphinx.decoder import SentenceDecoder
from stt_service.engines.pocketsphinx.listening import Listening, ListeningThread
from stt_service.engines.pocketsphinx.sentences import read_sentences, write_dictionary
from stt_service.settings import SttSettings

_log = get_logger(__name__)

DEFAULT_CAPACITY = 16
_SWITCH_INTERVAL_S = 0.0005
_DEMO_GRAMMAR = Path(__file__).with_name("demo.gram")
_LANGUAGES = ("en",)
_LIMITATIONS = (
    "It understands the sentences of one small grammar only (time, sums up to a hundred, small talk, a story, "
    "interruptions, farewells), for demo, self-test and tests; everything else is heard as nothing.",
    "It was tuned to synthetic voices; human callers will often be misunderstood. Use faster-whisper for them.",
    "Texts carry no punctuation and no capitals; prompts and hotwords are ignored.",
    "Wideband audio is narrowed to the telephone's 8 kHz.",
)


class PocketsphinxUtterance:
    """One utterance; see `engines.interface.Utterance`."""

    def __init__(
        self, engine: PocketsphinxEngine, decoder: SentenceDecoder, language: str, on_partial: OnPartial | None
    ) -> None:
        """Made by `PocketsphinxEngine.begin` only; the decoder is given back when the utterance has ended."""
        loop = asyncio.get_running_loop()
        self._engine = engine
        self._decoder = decoder
        self._ended: asyncio.Future[None] = loop.create_future()
        self._resampler = LiveResampler(TELEPHONE_HZ, MODEL_HZ)
        self._end = 0
        self._listening = Listening(
            decoder,
            loop,
            language=language,
            on_partial=on_partial,
            partial_bytes=engine.partial_bytes,
            on_ended=self._on_ended,
        )

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done once the decoder is free."""
        return self._ended

    def feed(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples ``[n]`` at 8 kHz."""
        if self._listening.stopped:
            return
        pcm = to_int16(self._resampler.process(samples)).tobytes()
        if pcm:
            self._end += len(pcm)
            self._listening.hear(pcm)
            self._engine.thread.attend(self._listening)

    def transcribe(self) -> asyncio.Future[Transcript]:
        """Ask for the text of all audio fed before this call."""
        answer = self._listening.ask(self._end)
        self._engine.thread.attend(self._listening)
        return answer

    def cancel(self) -> None:
        """End the utterance after the step that runs."""
        if not self._listening.stopped:
            self._listening.stopped = True
            self._engine.thread.attend(self._listening)

    def _on_ended(self) -> None:
        self._engine.give_back(self, self._decoder)
        if not self._ended.done():
            self._ended.set_result(None)


class PocketsphinxEngine:
    """The embedded recogniser; see `engines.interface.Engine`."""

    def __init__(self, settings: SttSettings) -> None:
        """Prepare; `open` loads."""
        own = settings.pocketsphinx
        self._grammar = own.grammar or _DEMO_GRAMMAR
        self._dictionary = own.dictionary
        self._rejection = own.rejection
        self._capacity = settings.capacity or DEFAULT_CAPACITY
        self._free: list[SentenceDecoder] = []
        self._live: set[PocketsphinxUtterance] = set()
        self._switch_interval_s = sys.getswitchinterval()
        self.thread = ListeningThread()
        self.partial_bytes = 2 * MODEL_HZ * settings.partial_interval_ms // 1000

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        return EngineInfo(
            name="pocketsphinx",
            version=importlib.metadata.version("pocketsphinx"),
            model=f"en-us, adapted to the telephone, grammar {self._grammar.stem}",
            sample_rate_hz=TELEPHONE_HZ,
            languages=_LANGUAGES,
            capacity=self._capacity,
            partials=True,
            word_times=True,
            language_detection=False,
            punctuation=False,
            limitations=_LIMITATIONS,
        )

    async def open(self) -> None:
        """Load one decoder for each utterance of the capacity. Raises StartupError."""
        started = time.monotonic()
        self._free = await asyncio.to_thread(self._load)
        # A decoding step holds the interpreter for about a millisecond; without this the event loop would wait for
        # five more of them before it may ask for its turn.
        self._switch_interval_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        self.thread.start()
        _log.info("decoders loaded", decoders=len(self._free), seconds=round(time.monotonic() - started, 2))

    async def close(self) -> None:
        """Cancel what runs and stop the thread."""
        for utterance in list(self._live):
            utterance.cancel()
        await asyncio.to_thread(self.thread.close)
        sys.setswitchinterval(self._switch_interval_s)

    def begin(self, request: Request, on_partial: OnPartial) -> PocketsphinxUtterance:
        """Begin an utterance. Raises LanguageUnsupportedError."""
        asked = understood(request.languages, _LANGUAGES, detect=request.detect_language)
        decoder = self._free.pop()
        utterance = PocketsphinxUtterance(
            self, decoder, asked[0] if asked else _LANGUAGES[0], on_partial if request.partials else None
        )
        self._live.add(utterance)
        return utterance

    def give_back(self, utterance: PocketsphinxUtterance, decoder: SentenceDecoder) -> None:
        """Take back the decoder of an utterance that has ended."""
        self._live.discard(utterance)
        self._free.append(decoder)

    def _load(self) -> list[SentenceDecoder]:
        graph = read_sentences(self._grammar, rejection=self._rejection)
        # The decoders read these files when they are made, and never again.
        with tempfile.TemporaryDirectory(prefix="parley-stt-") as name:
            folder = Path(name)
            model = TelephoneModel(folder)
            dictionary = folder / "words.dict"
            sources = [model.dictionary, *([self._dictionary] if self._dictionary else [])]
            write_dictionary(dictionary, graph.vocabulary, *sources)
            try:
                return [SentenceDecoder(model, dictionary, graph) for _ in range(self._capacity)]
            except (RuntimeError, ValueError) as error:
                raise StartupError(
                    f"pocketsphinx cannot load its model or {self._grammar}: {error}; reinstall Parley's extra `stt` "
                    "or mend the grammar"
                ) from error
