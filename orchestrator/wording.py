"""The words of the agent's own prompts: the settings' where they are set, else the language's."""

from __future__ import annotations

from orchestrator.engine import Prompt
from orchestrator.languages import SpokenPrompts, prompts_of
from orchestrator.settings import PromptSettings


def texts_of(settings: PromptSettings, language: str) -> SpokenPrompts:
    """Every text of a call in this language."""
    return prompts_of(language).with_overrides(settings.model_dump())


def greets(settings: PromptSettings) -> bool:
    """Whether calls are greeted at all."""
    return settings.greeting is None or bool(settings.greeting.strip())


def wording(settings: PromptSettings, language: str, prompt: Prompt, variant: int = 0) -> str:
    """What is said for a prompt that was needed ``variant`` times before in the call."""
    texts = texts_of(settings, language)
    match prompt:
        case Prompt.GREETING:
            return texts.greeting
        case Prompt.APOLOGY:
            return texts.apology
        case Prompt.OFFER_MESSAGE:
            return texts.apology_with_message_offer
        case Prompt.NOT_UNDERSTOOD:
            return texts.not_understood
        case Prompt.FILLER:
            return texts.fillers[variant % len(texts.fillers)]
        case Prompt.STILL_THERE:
            return (texts.idle_first, texts.idle_second)[variant % 2]
        case Prompt.GOODBYE:
            return texts.idle_goodbye
        case Prompt.ENDING_SOON:
            return texts.call_ending_soon


def prepared(settings: PromptSettings, language: str) -> tuple[str, ...]:
    """What is rendered while the telephone rings: everything that must sound at once when it is needed."""
    texts = texts_of(settings, language)
    greeting = (texts.greeting,) if greets(settings) else ()
    return (*greeting, *texts.fillers, texts.apology, texts.idle_first)
