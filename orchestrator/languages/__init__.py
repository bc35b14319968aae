"""Languages of a call: which one it is in, what the agent says of itself in it, which one a reply is written in."""

from orchestrator.languages.choice import LanguageChoice, Recognition
from orchestrator.languages.reply_language import ReplyLanguages, language_of
from orchestrator.languages.spoken_prompts import SpokenPrompts, prompts_of, spoken_languages
from orchestrator.languages.tags import allowed_as, primary, same_language

__all__ = [
    "LanguageChoice",
    "Recognition",
    "ReplyLanguages",
    "SpokenPrompts",
    "allowed_as",
    "language_of",
    "primary",
    "prompts_of",
    "same_language",
    "spoken_languages",
]
