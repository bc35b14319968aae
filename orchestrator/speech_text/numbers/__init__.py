"""How numbers, dates, times, money and their like are said, per language."""

from orchestrator.speech_text.numbers.reader import NumberReader, number_reader, prepare

__all__ = ["NumberReader", "number_reader", "prepare"]
