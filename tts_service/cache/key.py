"""By what a segment's sound is found again: everything that makes it sound as it does, and nothing else."""

from __future__ import annotations

import hashlib

from parley.audio.v1 import audio_pb2
from tts_service.settings import TtsSettings
from tts_service.speech import EngineInfo, Passage

POST_PROCESSING = 1
"""Raised whenever trimming, fading, levelling, resampling or encoding changes what comes out for the same speech."""

# Settings that do not change a sound, or whose part in it the key names itself. All others, an engine's own included,
# are in it, so that an engine cannot forget one.
_SILENT_SETTINGS = frozenset(
    {
        *("listen", "engine", "capacity", "voice", "language", "lookahead_ms", "message_ms", "first_message_ms"),
        *("idle_timeout_s", "drain", "cache", "prerender"),
    }
)


def engine_fingerprint(info: EngineInfo, settings: TtsSettings) -> str:
    """What one engine under one set of settings sounds like, as a hexadecimal digest. Secrets are masked in it."""
    own = settings.model_dump_json(exclude=set(_SILENT_SETTINGS))
    return _digest(str(POST_PROCESSING), info.name, info.version, info.model, info.content, own).hex()


def segment_key(fingerprint: str, passage: Passage, fmt: audio_pb2.AudioFormat) -> bytes:
    """The key of a passage in a format (all are mono), 32 bytes; `passage.text` is the normalised text."""
    return _digest(
        fingerprint,
        passage.voice.engine,
        passage.voice.name,
        passage.voice.content,
        passage.language.lower(),
        f"{passage.speed:.4f}",
        f"{fmt.encoding} {fmt.sample_rate_hz}",
        passage.text,
    )


def _digest(*fields: str) -> bytes:
    # Lengths go before the fields, or one could flow into the next.
    digest = hashlib.sha256()
    for field in fields:
        encoded = field.encode("utf-8", errors="surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.digest()
