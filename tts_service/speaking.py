"""An engine with what stands between it and the wire: what was said before, and how loud its voices are."""

from __future__ import annotations

from parley.audio.v1 import audio_pb2
from servicekit.logs import get_logger
from tts_service.cache import SegmentCache, engine_fingerprint, segment_key
from tts_service.levels import VoiceLevels
from tts_service.segment_sound import SegmentSound
from tts_service.settings import TtsSettings
from tts_service.speech import Engine, EngineError, Passage
from tts_service.voices import Voice

_log = get_logger(__name__)


class Speaking:
    """What every reply of a process shares."""

    def __init__(self, engine: Engine, settings: TtsSettings, cache: SegmentCache) -> None:
        """Use an engine and a cache; both are closed by whoever made them."""
        self.engine = engine
        self.cache = cache
        self._levels = VoiceLevels(settings.level_dbfs, enabled=settings.normalise)
        self._fingerprint = engine_fingerprint(engine.info, settings)

    async def warm_up(self) -> None:
        """Warm the engine and hear how loud its default voice is."""
        await self.engine.warm_up()
        try:
            await self.know(self.engine.voices.default)
        except EngineError as error:
            _log.warning("how loud the default voice is will be learned from its first replies", error=str(error))

    async def know(self, voice: Voice) -> None:
        """Have a voice's level known, for which it may have to speak first. Raises EngineError."""
        await self._levels.audition(self.engine, voice)

    def key(self, passage: Passage, fmt: audio_pb2.AudioFormat) -> bytes:
        """By what the sound of a passage, its text normalised, is kept."""
        return segment_key(self._fingerprint, passage, fmt)

    def begin(self, passage: Passage, fmt: audio_pb2.AudioFormat) -> SegmentSound:
        """The sound of a passage that the engine is about to speak."""
        return SegmentSound(self.engine.info.sample_rate_hz, fmt, self._levels, self._levels.gain(passage.voice))

    def finish(self, key: bytes, passage: Passage, sound: SegmentSound, *, keep: bool) -> None:
        """The passage was spoken whole: learn from it, and keep it where its level was not a guess."""
        if sound.stands_in:
            return
        level_known = sound.level_known
        self._levels.learn(passage.voice, sound.level())
        whole = sound.whole()
        if level_known and whole is not None and whole.payload:
            self.cache.store(key, whole, keep=keep)
