"""From samples to text with a Whisper model. Everything here blocks and runs in a worker's thread."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import faster_whisper
import numpy as np
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens
from numpy.typing import NDArray

from servicekit.audio import level_dbfs
from stt_service.engines.interface import Request
from stt_service.engines.languages import primary
from stt_service.settings import WhisperSettings

WHISPER_HZ = 16_000
_FRAMES_PER_S = 100
_FULL_WINDOW_S = 30
_BUCKET_S = 5
_MARGIN_S = 2.0
"""Silence that the model wants after the last word to know that it was the last."""
_LONGEST_CONTEXT = 223
"""Tokens of prompt and hotwords: half of the model's length, less one."""
_MODEL_LENGTH = 448
_TOKENS_PER_S = 12
"""More than anybody speaks; beyond it the model repeats itself."""
_LEVEL_WINDOW = WHISPER_HZ // 10

# Whisper's one code that is not BCP 47's: Javanese.
_FROM_WHISPER = {"jw": "jv"}
_TO_WHISPER = {"jv": "jw"}


class DroppedError(Exception):
    """Nobody wants the text any more."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text and how sure the model is of it."""

    text: str
    language: str
    """BCP 47."""
    confidence: float
    """Geometric mean of the tokens' probabilities, 0 to 1."""
    language_confidence: float
    """0 when the language was given."""


class WhisperDecoder:
    """Decodes whole buffers: live ones in one short window, recordings with all of `transcribe`'s care."""

    def __init__(self, model: faster_whisper.WhisperModel, settings: WhisperSettings) -> None:
        """Several threads may decode at once with the same ``model``."""
        self._model = model
        self._settings = settings
        self._known = frozenset(model.supported_languages)

    @property
    def languages(self) -> tuple[str, ...]:
        """BCP 47 languages of the model."""
        return tuple(sorted(_FROM_WHISPER.get(code, code) for code in self._known))

    @property
    def multilingual(self) -> bool:
        """Whether the model tells languages apart."""
        return bool(self._model.model.is_multilingual)

    def decode(self, audio: NDArray[np.float32], request: Request, unwanted: Callable[[], bool]) -> Decoded:
        """Transcribe ``[n]`` samples at 16 kHz. Raises DroppedError once ``unwanted()``, looked at between steps."""
        _stop_if(unwanted)
        if self._is_silent(audio):
            return Decoded("", request.languages[0] if request.languages else "", 0.0, 0.0)
        if request.patient or len(audio) > (_FULL_WINDOW_S - _MARGIN_S) * WHISPER_HZ:
            return self._decode_long(audio, request, unwanted)
        seconds = max(self._settings.shortest_window_s, len(audio) / WHISPER_HZ + _MARGIN_S)
        window_s = min(_FULL_WINDOW_S, _BUCKET_S * math.ceil(seconds / _BUCKET_S))
        decoded, doubtful = self._decode_window(audio, request, window_s, unwanted)
        if doubtful and window_s < _FULL_WINDOW_S:
            # Short windows are not what the model was trained on.
            decoded, doubtful = self._decode_window(audio, request, _FULL_WINDOW_S, unwanted)
        return decoded if not doubtful else Decoded("", decoded.language, 0.0, decoded.language_confidence)

    def _is_silent(self, audio: NDArray[np.float32]) -> bool:
        starts = range(0, len(audio), _LEVEL_WINDOW)
        return all(level_dbfs(audio[at : at + _LEVEL_WINDOW]) < self._settings.silence_dbfs for at in starts)

    def _codes(self, request: Request) -> list[str]:
        """Whisper's codes of the languages to choose from; empty means any."""
        wanted = request.languages if request.detect_language else request.languages[:1]
        codes = [_TO_WHISPER.get(primary(tag), primary(tag)) for tag in wanted]
        return [code for code in dict.fromkeys(codes) if code in self._known]

    def _decode_window(
        self, audio: NDArray[np.float32], request: Request, window_s: int, unwanted: Callable[[], bool]
    ) -> tuple[Decoded, bool]:
        """Decode greedily in one window; whether the text is doubtful."""
        model = self._model.model
        features = pad_or_trim(self._model.feature_extractor(audio), window_s * _FRAMES_PER_S)
        _stop_if(unwanted)
        encoded = self._model.encode(features)
        _stop_if(unwanted)
        language, probability = self._language(encoded, request)
        tokenizer = Tokenizer(self._model.hf_tokenizer, self.multilingual, task="transcribe", language=language)
        prompt = self._prompt(tokenizer, request)
        most_tokens = min(_MODEL_LENGTH // 2, 8 + math.ceil(_TOKENS_PER_S * len(audio) / WHISPER_HZ))
        result = model.generate(
            encoded,
            [prompt],
            beam_size=1,
            # CTranslate2 gives no more than half of this, and counts the prompt in.
            max_length=min(_MODEL_LENGTH, max(2 * most_tokens, len(prompt) + most_tokens)),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
        )[0]
        tokens = result.sequences_ids[0]
        log_prob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        text = tokenizer.decode(tokens).strip()
        decoded = Decoded(text, _FROM_WHISPER.get(language, language), math.exp(min(0.0, log_prob)), probability)
        return decoded, bool(text) and self._is_doubtful(text, log_prob, result.no_speech_prob)

    def _is_doubtful(self, text: str, log_prob: float, no_speech_prob: float) -> bool:
        own = self._settings
        packed = text.encode()
        repetition = len(packed) / len(zlib.compress(packed))
        unsure = log_prob < own.log_prob_threshold
        nobody = no_speech_prob > own.no_speech_threshold and log_prob < own.log_prob_threshold / 2
        return unsure or nobody or repetition > own.compression_ratio_threshold

    def _decode_long(self, audio: NDArray[np.float32], request: Request, unwanted: Callable[[], bool]) -> Decoded:
        codes = self._codes(request)
        probability = 0.0
        if self.multilingual and len(codes) != 1:
            first = pad_or_trim(self._model.feature_extractor(audio[: _FULL_WINDOW_S * WHISPER_HZ]))
            code, probability = self._language(self._model.encode(first), request)
            codes = [code]
        _stop_if(unwanted)
        own = self._settings
        segments, info = self._model.transcribe(
            audio,
            language=codes[0] if codes else None,
            beam_size=own.beam_size if request.patient else 1,
            temperature=[0.0, 0.2, 0.4] if request.patient else 0.0,
            condition_on_previous_text=False,
            initial_prompt=request.prompt or None,
            hotwords=" ".join(request.hotwords) or None,
            without_timestamps=not request.patient,
            vad_filter=request.patient,
            log_prob_threshold=own.log_prob_threshold,
            no_speech_threshold=own.no_speech_threshold,
            compression_ratio_threshold=own.compression_ratio_threshold,
        )
        texts: list[str] = []
        weight = log_prob = 0.0
        for segment in segments:
            # Each turn of this loop decodes one window.
            _stop_if(unwanted)
            if self._is_doubtful(segment.text, segment.avg_logprob, segment.no_speech_prob):
                continue
            texts.append(segment.text.strip())
            weight += len(segment.text)
            log_prob += len(segment.text) * segment.avg_logprob
        language = _FROM_WHISPER.get(info.language, info.language)
        confidence = math.exp(min(0.0, log_prob / weight)) if weight else 0.0
        return Decoded(" ".join(text for text in texts if text), language, confidence, probability)

    def _language(self, encoded: object, request: Request) -> tuple[str, float]:
        """Whisper's code of the language and its probability; 0 when it was not in question."""
        codes = self._codes(request)
        if not self.multilingual:
            return "en", 0.0
        if len(codes) == 1:
            return codes[0], 0.0
        ranked = self._model.model.detect_language(encoded)[0]
        among = [(token[2:-2], float(probability)) for token, probability in ranked]
        possible = [found for found in among if found[0] in (codes or self._known)]
        code, probability = max(possible, key=lambda found: found[1])
        return code, probability / (sum(found[1] for found in possible) or 1.0)

    def _prompt(self, tokenizer: Tokenizer, request: Request) -> list[int]:
        hotwords = tokenizer.encode(" " + " ".join(request.hotwords))[:_LONGEST_CONTEXT] if request.hotwords else []
        room = _LONGEST_CONTEXT - len(hotwords)
        before = tokenizer.encode(" " + request.prompt.strip())[-room:] if request.prompt.strip() and room else []
        context = [tokenizer.sot_prev, *hotwords, *before] if hotwords or before else []
        return [*context, *tokenizer.sot_sequence, tokenizer.no_timestamps]


def _stop_if(unwanted: Callable[[], bool]) -> None:
    if unwanted():
        raise DroppedError
