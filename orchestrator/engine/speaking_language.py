"""The language of the call, as its transcripts tell it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Protocol

from orchestrator.engine.actions import Action, SwitchLanguage
from orchestrator.engine.caller import Caller
from orchestrator.engine.cues import Cues, load_cues
from orchestrator.engine.endpointing import Utterance


class LanguagePolicy(Protocol):
    """Follows the caller's language from utterance to utterance: `orchestrator.languages.LanguageChoice`."""

    @property
    def language(self) -> str:
        """The call's language as things stand, BCP 47."""

    def hear(self, language: str, confidence: float) -> str:
        """Take note of an utterance's language; returns the call's from here on."""


class SpeakingLanguage:
    """Switches the call's language, and the engine's cues with it. Without a policy nothing ever switches."""

    def __init__(
        self,
        policy: LanguagePolicy | None,
        caller: Caller,
        out: list[Action],
        load: Callable[[str], Cues] = load_cues,
    ) -> None:
        self._policy = policy
        self._caller = caller
        self._out = out
        self._load = load

    def would_switch(self, utterance: Utterance) -> bool:
        """Whether an utterance, once it is committed, moves the call to another language."""
        if self._policy is None or not utterance.language:
            return False
        trial = copy.deepcopy(self._policy)
        return trial.hear(utterance.language, utterance.language_confidence) != self._policy.language

    def heard(self, utterance: Utterance) -> None:
        """An utterance is answered: switch to its language where that is due."""
        if self._policy is None or not utterance.language:
            return
        before = self._policy.language
        language = self._policy.hear(utterance.language, utterance.language_confidence)
        if language != before:
            self._caller.cues = self._load(language)
            self._out.append(SwitchLanguage(language))
