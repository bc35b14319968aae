"""`parley bench tts`: how soon a text is heard, how soon it is silent, and whether what is heard is right."""

from toolbox.bench.tts.measuring import PARTS, TtsPlan, measure_tts

__all__ = ["PARTS", "TtsPlan", "measure_tts"]
