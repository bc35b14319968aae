"""The demo brain: a small, honest OpenAI-compatible model server for demo and tests.

`async with DemoBrain() as brain:` serves at `brain.base_url`; `python -m toolbox.demo_brain --port 11435` runs it
alone. It understands the time, sums, small talk, a long story (and "go on"), stop, the weather (for which it
takes as long as a look-up would, and has no report), being put through to somebody (the `transfer_call` tool) and
goodbye (the `end_call` tool), each where it is offered; anything else it says it did not understand.
"""

from toolbox.demo_brain.app import MODEL, Pace
from toolbox.demo_brain.intents import Answer, Intent, answer
from toolbox.demo_brain.requests import BrainRequestRecord, RequestLog
from toolbox.demo_brain.server import DemoBrain
from toolbox.demo_brain.story import STORY

__all__ = ["MODEL", "STORY", "Answer", "BrainRequestRecord", "DemoBrain", "Intent", "Pace", "RequestLog", "answer"]
