"""The time of day as people say it."""

from __future__ import annotations

from datetime import datetime

from toolbox.demo_brain.numbers import in_words


def time_in_words(now: datetime) -> str:
    """A sentence such as "It is twenty past four in the afternoon."."""
    hour, minute = now.hour, now.minute
    if minute > 30:
        said = f"{_minutes(60 - minute)} to {_hour(hour + 1)}"
    elif minute == 0:
        said = f"{_hour(hour)} o'clock"
    else:
        said = f"{_minutes(minute)} past {_hour(hour)}"
    return f"It is {said} {_part_of_day(hour)}."


def _minutes(minutes: int) -> str:
    if minutes == 15:
        return "a quarter"
    if minutes == 30:
        return "half"
    unit = "" if minutes % 5 == 0 else " minute" if minutes == 1 else " minutes"
    return in_words(minutes) + unit


def _hour(hour: int) -> str:
    return in_words(hour % 12 or 12)


def _part_of_day(hour: int) -> str:
    if 5 <= hour < 12:
        return "in the morning"
    if 12 <= hour < 18:
        return "in the afternoon"
    return "in the evening" if 18 <= hour < 22 else "at night"
