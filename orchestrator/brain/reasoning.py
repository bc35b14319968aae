"""Keeping a model's reasoning out of its speech.

Reasoning models behind Ollama, vLLM and others either send it in a field of its own (`reasoning_content`,
`reasoning`), which the stream reader never looks at, or inside the text between `<think>` and `</think>`.
"""

from __future__ import annotations

from typing import Final

_OPENING: Final = ("<think>", "<thinking>", "<thought>", "<reasoning>")
_CLOSING: Final = ("</think>", "</thinking>", "</thought>", "</reasoning>")


class ReasoningFilter:
    """Passes text on without what stands between reasoning tags, wherever the deltas are cut.

    An opening tag that is never closed drops the rest; a stray closing tag is dropped alone. Holds back at most one
    tag's length, and only while what it holds may still become a tag.
    """

    def __init__(self, *, starts_inside: bool = False) -> None:
        """`starts_inside`: the model's template opened the tag in the prompt, so that the reply begins in reasoning."""
        self._inside = starts_inside
        self._held = ""
        self.dropped = False

    def push(self, text: str) -> str:
        """The speakable part of what is known to be speakable so far."""
        self._held += text
        out: list[str] = []
        while self._held:
            at = self._held.find("<")
            if at < 0:
                at = len(self._held)
            if at:
                self._pass(self._held[:at], out)
                self._held = self._held[at:]
                continue
            tag = self._tag()
            if tag is None:
                break
            if tag:
                self._inside = tag in _OPENING
                self._held = self._held[len(tag) :]
            else:
                self._pass("<", out)
                self._held = self._held[1:]
        return "".join(out)

    def finish(self) -> str:
        """What was held back and proved to be no tag."""
        rest, self._held = self._held, ""
        return "" if self._inside else rest

    def _pass(self, text: str, out: list[str]) -> None:
        if self._inside:
            self.dropped = True
        else:
            out.append(text)

    def _tag(self) -> str | None:
        """The tag the held text begins with; "" when it begins with none; None when more text must tell."""
        tags = _CLOSING if self._inside else _OPENING + _CLOSING
        head = self._held[: max(map(len, tags))].lower()
        for tag in tags:
            if head.startswith(tag):
                return tag
        return None if any(tag.startswith(head) for tag in tags) else ""
