"""Whole recordings, and utterances longer than a window: faster-whisper's own `transcribe` with all its care."""

from __future__ import annotations

import math
from collections.abc import Callable

import faster_whisper
from faster_whisper.audio import pad_or_trim

from stt_service.engines.whisper.codes import language_of, whisper_code
from stt_service.engines.whisper.decoding import Decoded, Passage, WhisperDecoder, stop_if
from stt_service.engines.whisper.windows import FULL_WINDOW_S, WHISPER_HZ
from stt_service.engines.whisper.words import Piece
from stt_service.settings import WhisperSettings


class RecordingDecoder:
    """Decodes audio of any length, window after window."""

    def __init__(self, model: faster_whisper.WhisperModel, decoder: WhisperDecoder, settings: WhisperSettings) -> None:
        """Shares the ``model`` with the ``decoder`` of live speech."""
        self._model = model
        self._decoder = decoder
        self._settings = settings

    def decode(self, passage: Passage, useless: Callable[[], bool]) -> Decoded:
        """Understand one passage: with beams and fallbacks when its request is patient, greedily otherwise.

        Raises DroppedError once ``useless()``, looked at between windows.
        """
        stop_if(useless)
        audio, request, own = passage.audio, passage.request, self._settings
        if not passage.speech_known and not self._decoder.gates.holds_speech(audio):
            return Decoded(language=next(iter(request.languages), ""))
        codes = [whisper_code(passage.language)] if passage.language else self._decoder.codes(request)
        probability = 0.0
        if self._decoder.multilingual and len(codes) != 1:
            beginning = pad_or_trim(self._model.feature_extractor(audio[: FULL_WINDOW_S * WHISPER_HZ]))
            ranked = self._model.model.detect_language(self._model.encode(beginning))[0]
            code, probability = self._decoder.choose_language(ranked, request)
            codes = [code]
        stop_if(useless)
        segments, info = self._model.transcribe(
            audio,
            language=codes[0] if codes else None,
            beam_size=own.beam_size if request.patient else 1,
            temperature=[0.0, 0.2, 0.4] if request.patient else 0.0,
            condition_on_previous_text=False,
            initial_prompt=f"{request.prompt.strip()} {passage.settled.strip()}".strip() or None,
            hotwords=" ".join(request.hotwords) or None,
            without_timestamps=not request.patient,
            vad_filter=request.patient,
            word_timestamps=passage.timed,
            log_prob_threshold=own.log_prob_threshold,
            no_speech_threshold=own.no_speech_threshold,
            compression_ratio_threshold=own.compression_ratio_threshold,
        )
        pieces: list[Piece] = []
        weight = log_prob = 0.0
        for segment in segments:
            # Each turn of this loop decodes one window.
            stop_if(useless)
            if self._decoder.gates.is_doubtful(segment.text, segment.avg_logprob, segment.no_speech_prob):
                continue
            if passage.timed and segment.words:
                pieces += [Piece(word.word, word.start, word.end, word.probability) for word in segment.words]
            else:
                pieces.append(Piece(segment.text, segment.start, segment.end, math.exp(min(0.0, segment.avg_logprob))))
            weight += len(segment.text)
            log_prob += len(segment.text) * segment.avg_logprob
        confidence = math.exp(min(0.0, log_prob / weight)) if weight else 0.0
        return Decoded(tuple(pieces), language_of(info.language), confidence, probability, speech=True)
