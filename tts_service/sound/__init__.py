"""Sound as it comes over a network: told apart by its bytes, decoded as it arrives, held against what is plausible."""

from tts_service.sound.plausible import PlausibleLength
from tts_service.sound.quiet import TrailingSilence
from tts_service.sound.reader import SLICE_BYTES, NotSoundError, SoundReader
from tts_service.sound.streamed import StreamedSpeech

__all__ = ["SLICE_BYTES", "NotSoundError", "PlausibleLength", "SoundReader", "StreamedSpeech", "TrailingSilence"]
