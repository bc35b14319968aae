"""`parley voices`: which voices a speech service has, and hearing one."""

from toolbox.voices.asking import SpokenSample, list_voices, say
from toolbox.voices.listing import ListedVoice
from toolbox.voices.player import find_player, play

__all__ = ["ListedVoice", "SpokenSample", "find_player", "list_voices", "play", "say"]
