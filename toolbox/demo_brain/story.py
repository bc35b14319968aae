"""A story long enough to be interrupted, and the place to go on from."""

from __future__ import annotations

from typing import Final

LEAD_IN: Final = "Where was I? Ah yes. "
_ANCHOR: Final = 20

STORY: Final = (
    "Once upon a time, in a small town between two rivers, there lived a clockmaker called Mara. "
    "Her shop was so narrow that customers had to come in one by one, and leave in the same order. "
    "She could mend any clock in the world, except the one that hung above her own door. "
    "That clock had stopped at twenty past four on the day her grandmother went to sea, and it had never moved again. "
    "Every evening Mara climbed a ladder, opened its glass, and listened. "
    "Every evening she heard nothing at all. "
    "One winter a boy came into the shop, carrying a tin box under his coat. "
    "He said that he had found it on the beach, wrapped in a sail, and that something inside it was knocking. "
    "Mara put the box on her bench and held her breath. "
    "It knocked three times, slowly, like a guest who is not sure of the house. "
    "Inside lay a single brass wheel, no bigger than a coin, and it was turning by itself. "
    "She looked at the wheel, then at the silent clock, and then she laughed out loud. "
    "Her grandmother had not forgotten the clock. "
    "She had taken its heart along, so that somebody would have to bring it home. "
    "Together they climbed the ladder, the boy holding the lamp and Mara holding the wheel. "
    "It slipped into its place as if it had only been away for an afternoon. "
    "The clock gave a cough, shook off forty years of dust, and struck so loudly that all the geese flew up. "
    "All over town people opened their windows and set their watches. "
    "From that day on the clock was never late, but it was not quite like other clocks either. "
    "Whenever a ship came home, it struck one extra time, very softly, before anybody could see a sail. "
    "The boy became her apprentice, and later he had the narrow shop himself. "
    "He never made the door any wider. "
    "He said that good stories, like good customers, should come in one at a time. "
    "And if you ever walk through that town at twenty past four, stand still for a moment and listen. "
    "You may hear the clock take a small breath, as if it were about to tell you how it all began. "
    "That is the end of the story."
)


def rest_of_story(said: list[str]) -> str | None:
    """What is left of the story after the assistant's messages (oldest first); None if it was never begun.

    A message counts as far as it agrees with the story: after an interruption it holds what the caller heard, and
    whatever note is put behind that does not disturb. A word that was cut is told again.
    """
    for message in reversed(said):
        reached = _reached(message.strip())
        if reached is not None:
            return STORY[reached:].lstrip()
    return None


def _reached(message: str) -> int | None:
    """How far into the story a message came, at a word's beginning; None if it tells none of it."""
    for lead_in in (LEAD_IN, LEAD_IN.strip()):
        message = message.removeprefix(lead_in)
    message = message.strip()
    if not message:
        return None
    anchor = message[:_ANCHOR]
    # A shorter piece could stand anywhere; only the beginning is known by little.
    begin = STORY.find(anchor) if len(message) >= _ANCHOR else 0
    if begin < 0:
        return None
    length = 0
    while length < len(message) and begin + length < len(STORY) and message[length] == STORY[begin + length]:
        length += 1
    if length < min(3, len(message)):
        return None
    end = begin + length
    while 0 < end < len(STORY) and STORY[end - 1] != " " and STORY[end] != " ":
        end -= 1  # The word was cut.
    return end
