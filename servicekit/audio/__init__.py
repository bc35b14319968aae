"""Sound as Parley handles it: mono float32 inside, the wire's own bytes outside.

* G.711 and 16-bit PCM to samples and back (:mod:`.g711`, :mod:`.samples`)
* a resampler for live streams and one for whole utterances (:mod:`.resampling`)
* formats of the contracts, read and written (:mod:`.formats`, :mod:`.wire`)
"""

from servicekit.audio.formats import (
    MULAW_8K,
    UnsupportedFormatError,
    bytes_per_sample,
    describe,
    pcm,
    same_format,
    seconds_of,
)
from servicekit.audio.framing import FrameCutter
from servicekit.audio.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from servicekit.audio.resampling import LiveResampler, resample
from servicekit.audio.samples import SILENCE_DBFS, level_dbfs, to_float, to_int16
from servicekit.audio.wire import WireDecoder, WireEncoder

__all__ = [
    "MULAW_8K",
    "SILENCE_DBFS",
    "FrameCutter",
    "LiveResampler",
    "UnsupportedFormatError",
    "WireDecoder",
    "WireEncoder",
    "bytes_per_sample",
    "decode_alaw",
    "decode_mulaw",
    "describe",
    "encode_alaw",
    "encode_mulaw",
    "level_dbfs",
    "pcm",
    "resample",
    "same_format",
    "seconds_of",
    "to_float",
    "to_int16",
]
