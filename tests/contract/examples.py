"""The example exchanges written in the RPCs' comments, read back as messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf import text_format
from google.protobuf.message import Message

from parley.conversation.v1 import conversation_pb2 as conv
from parley.stt.v1 import stt_pb2 as stt
from parley.tts.v1 import tts_pb2 as tts
from tests.contract.descriptors import declarations

# rpc → (request type, response type)
TYPES: dict[str, tuple[type[Message], type[Message]]] = {
    "parley.conversation.v1.Conversation.Converse": (conv.CallEvent, conv.AgentEvent),
    "parley.stt.v1.SpeechToText.Recognize": (stt.RecognizeRequest, stt.RecognizeResponse),
    "parley.tts.v1.TextToSpeech.Synthesize": (tts.SynthesizeRequest, tts.SynthesizeResponse),
}


@dataclass(frozen=True)
class Line:
    """One message of an example and who sends it."""

    from_client: bool
    message: Message


@dataclass(frozen=True)
class Example:
    """One exchange."""

    rpc: str
    title: str
    lines: tuple[Line, ...]

    def __str__(self) -> str:
        return f"{self.rpc.rsplit('.', 1)[1]}: {self.title}"

    def client_messages(self) -> list[Message]:
        """What the client sends, in order."""
        return [line.message for line in self.lines if line.from_client]


def examples() -> Iterator[Example]:
    """Every example of every contract; raises text_format.ParseError for one that is no message."""
    for thing in declarations():
        if thing.kind != "rpc" or thing.name not in TYPES:
            continue
        request, response = TYPES[thing.name]
        for block in re.split(r"^ *Example: ", thing.comment, flags=re.MULTILINE)[1:]:
            title, *rest = block.splitlines()
            lines = []
            for raw in rest:
                arrow, text = raw.strip()[:1], raw.strip()[1:].strip()
                if arrow in ("<", ">"):
                    kind = request if arrow == ">" else response
                    lines.append(Line(arrow == ">", text_format.Parse(text, kind())))
            yield Example(thing.name, title.strip(), tuple(lines))
