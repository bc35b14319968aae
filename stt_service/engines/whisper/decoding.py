"""From samples to text with a Whisper model. Everything here blocks and runs in a worker's thread."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import ctranslate2
import faster_whisper
import numpy as np
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens
from numpy.typing import NDArray

from stt_service.engines.interface import Request
from stt_service.engines.whisper.codes import language_of, whisper_code
from stt_service.engines.whisper.edition import Edition
from stt_service.engines.whisper.gates import Gates
from stt_service.engines.whisper.scheduling import DroppedError
from stt_service.engines.whisper.windows import FRAMES_PER_S, FULL_WINDOW_S, max_length, most_tokens, window_s
from stt_service.engines.whisper.words import Piece, pieces_of, timed_pieces
from stt_service.settings import WhisperSettings

_LONGEST_CONTEXT = 223
"""Tokens of prompt and hotwords: half of the model's length, less one."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Audio to be understood in one go: all of an utterance, or what follows its settled beginning."""

    audio: NDArray[np.float32]
    """``[n]`` at 16 kHz."""
    request: Request = field(default_factory=Request)
    settled: str = ""
    """Text of the utterance before this audio."""
    language: str = ""
    """BCP 47, when it is not in question any more; else empty."""
    careful: bool = True
    """Whether a doubtful text is tried again over the full window and then dropped, or given as doubtful."""
    timed: bool = False
    """Whether pieces carry times."""
    speech_known: bool = False
    """Whether it is known to hold speech, so that nobody needs to look."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was understood of a passage and how sure the model is of it."""

    pieces: tuple[Piece, ...] = ()
    language: str = ""
    """BCP 47."""
    confidence: float = 0.0
    """Geometric mean of the tokens' probabilities, 0 to 1."""
    language_confidence: float = 0.0
    """0 when the language was given."""
    doubtful: bool = False
    speech: bool = False
    """Whether there was any."""

    @property
    def text(self) -> str:
        """The pieces together, a leading space included."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A passage with what the decoder is told beforehand."""

    passage: Passage
    tokenizer: Tokenizer
    code: str
    language_confidence: float
    prompt: tuple[int, ...]
    tokens: int

    @property
    def together(self) -> tuple[int, int]:
        """Passages of which this is equal may share a call of CTranslate2."""
        return self.prompt.index(self.tokenizer.sot), max_length(len(self.prompt), self.tokens)


class WhisperDecoder:
    """Decodes passages greedily, each in one short window; several of one window together where that pays."""

    def __init__(self, model: faster_whisper.WhisperModel, settings: WhisperSettings, edition: Edition) -> None:
        """Several threads may decode at once with the same ``model``."""
        self._model = model
        self._settings = settings
        self._prompted = edition.prompted
        self._known = frozenset([whisper_code(tag) for tag in edition.languages] or model.supported_languages)
        self._tokenizers: dict[str, Tokenizer] = {}
        self.gates = Gates(settings)

    @property
    def languages(self) -> tuple[str, ...]:
        """BCP 47 languages of the model."""
        return tuple(sorted(language_of(code) for code in self._known))

    @property
    def multilingual(self) -> bool:
        """Whether the model tells languages apart."""
        return bool(self._model.model.is_multilingual)

    def window_s(self, samples: int) -> int | None:
        """Seconds of the window for so many samples; None when they need several."""
        return window_s(samples, self._settings.shortest_window_s)

    def decode(self, passages: Sequence[Passage], useless: Callable[[], bool]) -> list[Decoded]:
        """Understand passages that share a window.

        Raises DroppedError once ``useless()``, looked at between steps.
        """
        stop_if(useless)
        answers = [Decoded(language=next(iter(passage.request.languages), "")) for passage in passages]
        spoken = [
            index
            for index, passage in enumerate(passages)
            if passage.speech_known or self.gates.holds_speech(passage.audio)
        ]
        if not spoken:
            return answers
        seconds = max(self.window_s(len(passages[index].audio)) or FULL_WINDOW_S for index in spoken)
        first = self._decode_window([passages[index] for index in spoken], seconds, useless)
        again: list[int] = []
        for index, decoded in zip(spoken, first, strict=True):
            answers[index] = decoded
            if decoded.doubtful and passages[index].careful:
                again.append(index)
        if again and seconds < FULL_WINDOW_S:
            # Short windows are not what the model was trained on.
            second = self._decode_window([passages[index] for index in again], FULL_WINDOW_S, useless)
            for index, decoded in zip(again, second, strict=True):
                answers[index] = decoded
        for index in again:
            if answers[index].doubtful:
                answers[index] = dataclasses.replace(answers[index], pieces=(), confidence=0.0)
        return answers

    def rehearse(self, audio: NDArray[np.float32], tokens: int, batch: int) -> None:
        """Do the work of ``batch`` finals of ``audio``, ``tokens`` each whatever it holds: how fast is this machine?"""
        seconds = self.window_s(len(audio)) or FULL_WINDOW_S
        encoded = self._encode([audio] * batch, seconds)
        tokenizer = self._tokenizer("en")
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        never = [*get_suppressed_tokens(tokenizer, [-1]), tokenizer.eot]
        length = max_length(len(prompt), tokens)
        self._model.model.generate(
            encoded, [prompt] * batch, beam_size=1, max_length=length, suppress_tokens=never, suppress_blank=False
        )

    def codes(self, request: Request) -> list[str]:
        """Whisper's codes of the languages to choose from; empty means any."""
        wanted = request.languages if request.detect_language else request.languages[:1]
        codes = [whisper_code(tag) for tag in wanted]
        return [code for code in dict.fromkeys(codes) if code in self._known]

    def choose_language(self, ranked: Sequence[tuple[str, float]], request: Request) -> tuple[str, float]:
        """The likeliest possible language of CTranslate2's ranking: Whisper's code and its share of probability."""
        codes = self.codes(request)
        among = [(token[2:-2], float(probability)) for token, probability in ranked]
        possible = [found for found in among if found[0] in (codes or self._known)]
        code, probability = max(possible, key=lambda found: found[1])
        return code, probability / (sum(found[1] for found in possible) or 1.0)

    def _encode(self, audios: Sequence[NDArray[np.float32]], seconds: int) -> ctranslate2.StorageView:
        # The last frame is of the padding that the extractor adds: Whisper's own code leaves it out too.
        features = [
            pad_or_trim(self._model.feature_extractor(audio)[..., :-1], seconds * FRAMES_PER_S) for audio in audios
        ]
        return self._model.encode(np.stack(features))

    def _decode_window(self, passages: Sequence[Passage], seconds: int, useless: Callable[[], bool]) -> list[Decoded]:
        """Decode greedily in windows of one length; what is doubtful is marked so."""
        encoded = self._encode([passage.audio for passage in passages], seconds)
        stop_if(useless)
        prepared = self._prepare(passages, encoded)
        answers: dict[int, Decoded] = {}
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, one in enumerate(prepared):
            groups[one.together].append(index)
        for (_, length), indices in groups.items():
            stop_if(useless)
            results = self._model.model.generate(
                _rows(encoded, indices, len(prepared)),
                [list(prepared[index].prompt) for index in indices],
                beam_size=1,
                max_length=length,
                return_scores=True,
                return_no_speech_prob=True,
                suppress_blank=True,
                suppress_tokens=get_suppressed_tokens(prepared[indices[0]].tokenizer, [-1]),
            )
            for index, result in zip(indices, results, strict=True):
                own = _rows(encoded, [index], len(prepared)) if prepared[index].passage.timed else None
                answers[index] = self._understand(prepared[index], result, own)
        return [answers[index] for index in range(len(prepared))]

    def _prepare(self, passages: Sequence[Passage], encoded: ctranslate2.StorageView) -> list[_Prepared]:
        known = [self._known_language(passage) for passage in passages]
        ranked = None if all(known) else self._model.model.detect_language(encoded)
        prepared = []
        for index, passage in enumerate(passages):
            code, confidence = known[index], 0.0
            if not code:
                assert ranked is not None
                code, confidence = self.choose_language(ranked[index], passage.request)
            tokenizer = self._tokenizer(code)
            tokens = most_tokens(len(passage.audio), self._settings.max_tokens)
            prompt = tuple(_prompt(tokenizer, passage if self._prompted else _unprompted(passage)))
            prepared.append(_Prepared(passage, tokenizer, code, confidence, prompt, tokens))
        return prepared

    def _known_language(self, passage: Passage) -> str:
        """Whisper's code of a language that is not in question; else empty."""
        if not self.multilingual:
            return "en"
        if passage.language:
            return whisper_code(passage.language)
        codes = self.codes(passage.request)
        return codes[0] if len(codes) == 1 else ""

    def _understand(self, prepared: _Prepared, result: Any, encoded: ctranslate2.StorageView | None) -> Decoded:
        tokens = [token for token in result.sequences_ids[0] if token < prepared.tokenizer.eot]
        count = len(result.sequences_ids[0])
        log_prob = result.scores[0] * count / (count + 1)
        if encoded is None:
            pieces = pieces_of(prepared.tokenizer, tokens)
        else:
            frames = len(prepared.passage.audio) * FRAMES_PER_S // self._model.feature_extractor.sampling_rate
            pieces = timed_pieces(self._model, prepared.tokenizer, tokens, encoded, max(2, frames))
        text = "".join(piece.text for piece in pieces).strip()
        return Decoded(
            pieces=pieces if text else (),
            language=language_of(prepared.code),
            confidence=math.exp(min(0.0, log_prob)),
            language_confidence=prepared.language_confidence,
            doubtful=bool(text) and self.gates.is_doubtful(text, log_prob, result.no_speech_prob),
            speech=True,
        )

    def _tokenizer(self, code: str) -> Tokenizer:
        # Each works out a list of tokens to suppress when first asked: a millisecond of every decode otherwise.
        if code not in self._tokenizers:
            self._tokenizers[code] = Tokenizer(
                self._model.hf_tokenizer, self.multilingual, task="transcribe", language=code
            )
        return self._tokenizers[code]


def stop_if(useless: Callable[[], bool]) -> None:
    """Raise DroppedError when nobody wants the result any more."""
    if useless():
        raise DroppedError


def _unprompted(passage: Passage) -> Passage:
    request = dataclasses.replace(passage.request, prompt="", hotwords=())
    return dataclasses.replace(passage, request=request, settled="")


def _prompt(tokenizer: Tokenizer, passage: Passage) -> list[int]:
    request = passage.request
    hotwords = tokenizer.encode(" " + " ".join(request.hotwords))[:_LONGEST_CONTEXT] if request.hotwords else []
    room = _LONGEST_CONTEXT - len(hotwords)
    said = f"{request.prompt.strip()} {passage.settled.strip()}".strip()
    before = tokenizer.encode(" " + said)[-room:] if said and room else []
    context = [tokenizer.sot_prev, *hotwords, *before] if hotwords or before else []
    return [*context, *tokenizer.sot_sequence, tokenizer.no_timestamps]


def _rows(encoded: ctranslate2.StorageView, indices: Sequence[int], count: int) -> ctranslate2.StorageView:
    """Some rows of a batch ``[count, t, d]``, by way of the CPU unless they are all of it."""
    if len(indices) == count:
        return encoded
    on_cpu = encoded if encoded.device == "cpu" else encoded.to_device(ctranslate2.Device.cpu)
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(np.asarray(on_cpu)[list(indices)]))
