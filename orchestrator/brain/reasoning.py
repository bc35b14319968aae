"""Keeping a model's reasoning out of its speech.

Reasoning models behind Ollama, vLLM and others either send it in a field of its own (`reasoning_content`,
`reasoning`), which the stream reader never looks at, or inside the text: between tags such as `<think>` and `</think>`
(Qwen, DeepSeek and most others), or in gpt-oss's channels, of which only the one called `final` is meant to be heard.
"""

from __future__ import annotations

import re
from typing import Final

_PAIRS: Final = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<seed:think>", "</seed:think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("[think]", "[/think]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
)
_OPENING: Final = tuple(opening for opening, _ in _PAIRS)
_CLOSING: Final = tuple(closing for _, closing in _PAIRS)
# Marks around an answer proper, which say nothing.
_SILENT: Final = ("<|begin_of_solution|>", "<|end_of_solution|>", "<|end|>", "<|return|>", "<|call|>", "<|im_end|>")
# gpt-oss: <|start|>assistant<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…
_START: Final = "<|start|>"
_CHANNEL: Final = "<|channel|>"
_MESSAGE: Final = "<|message|>"
_TAGS: Final = (*_OPENING, *_CLOSING, *_SILENT, _START, _CHANNEL, _MESSAGE)
_LONGEST: Final = max(map(len, _TAGS))
_BEGINS: Final = frozenset(tag[0] for tag in _TAGS)
_MAY_BEGIN: Final = re.compile("[" + "".join(map(re.escape, sorted(_BEGINS))) + "]")
# Without a channel the message is the answer.
_SPOKEN_CHANNELS: Final = frozenset({"final", "assistant"})
_LONGEST_HEADER: Final = 200
# The same channels by a server that leaves the marks themselves out: words that run into one another as none else do.
_BARE_OPENING: Final = re.compile(r"\s*analysis(?=[A-Z])")
_BARE_OPENING_MAYBE: Final = re.compile(r"\s*(a(n(a(l(y(s(is?)?)?)?)?)?)?)?")
_BARE_CLOSING: Final = "assistantfinal"


class ReasoningFilter:
    """Passes text on without what is reasoning, wherever the deltas are cut.

    An opening tag that is never closed drops the rest; a stray closing tag is dropped alone. Holds back at most one
    tag's length, and only while what it holds may still become a tag.
    """

    def __init__(self, *, starts_inside: bool = False) -> None:
        """`starts_inside`: the model's template opened the tag in the prompt, so that the reply begins in reasoning."""
        self._inside = starts_inside
        self._header: str | None = None
        """A channel's name while it is read; None outside of one."""
        self._bare = False
        """Whether it is channels without marks."""
        self._begun = starts_inside
        self._held = ""
        self.dropped = False
        self.stray = False
        """Whether reasoning ended that never began: what came before it was most likely reasoning, and spoken."""

    def push(self, text: str) -> str:
        """The speakable part of what is known to be speakable so far."""
        self._held += text
        if not self._begun and not self._begin():
            return ""
        out: list[str] = []
        while self._held:
            found = None if self._bare else _MAY_BEGIN.search(self._held)
            at = self._bare_end() if self._bare else found.start() if found else len(self._held)
            if at:
                self._pass(self._held[:at], out)
                self._held = self._held[at:]
                continue
            tag = self._tag()
            if tag is None:
                break
            if tag:
                self._held = self._held[len(tag) :]
                self._take(tag)
            else:
                self._pass(self._held[0], out)
                self._held = self._held[1:]
        return "".join(out)

    def finish(self) -> str:
        """What was held back and proved to be no tag."""
        rest, self._held = self._held, ""
        if self._inside or self._header is not None:
            self.dropped = self.dropped or bool(rest)
            return ""
        return rest

    def _begin(self) -> bool:
        """Whether it is certain by now how the reply begins."""
        if _BARE_OPENING_MAYBE.fullmatch(self._held):
            return not self._held or self._held.isspace()
        self._begun = True
        if match := _BARE_OPENING.match(self._held):
            self._held = self._held[match.end() :]
            self._bare = self._inside = True
        return True

    def _bare_end(self) -> int:
        """How much of what is held is certainly reasoning without marks."""
        at = self._held.find(_BARE_CLOSING)
        if at >= 0:
            return at
        kept = next((n for n in range(len(_BARE_CLOSING) - 1, 0, -1) if self._held.endswith(_BARE_CLOSING[:n])), 0)
        return len(self._held) - kept

    def _pass(self, text: str, out: list[str]) -> None:
        if self._header is not None:
            self._header = (self._header + text)[:_LONGEST_HEADER]
        elif self._inside:
            self.dropped = True
        else:
            out.append(text)

    def _take(self, tag: str) -> None:
        """A tag has come."""
        if tag == _BARE_CLOSING:
            self._inside = self._bare = False
        elif tag in _OPENING:
            self._inside = True
        elif tag in _CLOSING:
            self.stray = self.stray or not (self._inside or self.dropped)
            self._inside = False
        elif tag in {_START, _CHANNEL}:
            # Who speaks, and in which channel, up to the message.
            self._header = ""
        elif tag == _MESSAGE and self._header is not None:
            channel = self._header.split()[0] if self._header.split() else ""
            self._inside = channel not in _SPOKEN_CHANNELS
            self._header = None

    def _tag(self) -> str | None:
        """The tag the held text begins with; "" when it begins with none; None when more text must tell."""
        if self._bare:
            tags: tuple[str, ...] = (_BARE_CLOSING,)
        elif self._inside:
            # Whatever it quotes, reasoning ends only where it is closed, or where another message begins.
            tags = (*_CLOSING, _START, _CHANNEL, _MESSAGE)
        else:
            tags = _TAGS
        head = self._held[:_LONGEST].lower()
        for tag in tags:
            if head.startswith(tag):
                return tag
        return None if any(tag.startswith(head) for tag in tags) else ""
