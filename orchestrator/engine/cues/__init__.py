"""What words tell about turn-taking, per language, as data: ``en.toml``, ``de.toml`` … beside this file."""

from orchestrator.engine.cues.echo import overlap
from orchestrator.engine.cues.entities import Entity
from orchestrator.engine.cues.language_cues import FALLBACK_LANGUAGE, Cues, load_cues
from orchestrator.engine.cues.phrases import Phrases
from orchestrator.engine.cues.words import is_unspaced, words_of

__all__ = ["FALLBACK_LANGUAGE", "Cues", "Entity", "Phrases", "is_unspaced", "load_cues", "overlap", "words_of"]
