"""What came of it: for people, for programs, for CI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self
from xml.etree import ElementTree

from rich.console import Console
from rich.markup import escape

Verdict = Literal["passed", "failed", "skipped"]
_SIGNS: dict[Verdict, str] = {"passed": "[green]✓[/]", "failed": "[bold red]✗[/]", "skipped": "[yellow]–[/]"}
_LOWEST_PRINTABLE = 0x20


@dataclass(frozen=True)
class Result:
    """One case and what came of it."""

    name: str
    result: Verdict
    detail: str
    """What was measured, what was expected and came, or why it was skipped."""
    where: str
    sentence: str
    warnings: tuple[str, ...] = ()
    measures: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def because(self, finding: str) -> Self:
        """The same failure, with a finding that explains it."""
        return replace(self, detail=f"{self.detail}; then {finding}")

    def after(self, seconds: float) -> Self:
        """The same, with the time it took."""
        return replace(self, seconds=round(seconds, 3))

    @property
    def contract(self) -> str:
        """Where in the contract it is written."""
        return f"{self.where}: “{self.sentence}”"

    def as_json(self) -> dict[str, Any]:
        """One entry of ``cases``."""
        return {
            "name": self.name,
            "result": self.result,
            "detail": self.detail,
            "where": self.where,
            "sentence": self.sentence,
            "warnings": list(self.warnings),
            "measures": self.measures,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Report:
    """All results of a run."""

    target: str
    contract: str
    """Package of the contract, such as ``parley.stt.v1``."""
    results: Sequence[Result]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not any(result.result == "failed" for result in self.results)

    def count(self, verdict: Verdict) -> int:
        """How many cases came out so."""
        return Counter(result.result for result in self.results)[verdict]

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints, beside the common keys."""
        return {
            "target": self.target,
            "contract": self.contract,
            "passed": self.count("passed"),
            "failed": self.count("failed"),
            "skipped": self.count("skipped"),
            "cases": [result.as_json() for result in self.results],
        }

    def as_junit(self) -> bytes:
        """JUnit's XML, as CI systems read it."""
        suite = ElementTree.Element(
            "testsuite",
            name=f"conformance {self.contract}",
            tests=str(len(self.results)),
            failures=str(self.count("failed")),
            errors="0",
            skipped=str(self.count("skipped")),
            time=f"{sum(result.seconds for result in self.results):.3f}",
        )
        for result in self.results:
            case = ElementTree.SubElement(
                suite, "testcase", classname=self.contract, name=result.name, time=f"{result.seconds:.3f}"
            )
            if result.result == "failed":
                failure = ElementTree.SubElement(case, "failure", message=_printable(result.detail))
                failure.text = result.contract
            elif result.result == "skipped":
                ElementTree.SubElement(case, "skipped", message=_printable(result.detail))
            if result.warnings:
                ElementTree.SubElement(case, "system-out").text = _printable("\n".join(result.warnings))
        xml: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
        return xml

    def show(self, console: Console) -> None:
        """Print each case, its finding, and the sum."""
        width = max((len(result.name) for result in self.results), default=0)
        for result in self.results:
            aside = result.detail if result.result != "failed" else ""
            console.print(f"{_SIGNS[result.result]} {result.name:<{width}}  [dim]{escape(aside)}[/]", soft_wrap=True)
            if result.result == "failed":
                console.print(f"    {escape(result.detail)}", soft_wrap=True)
                console.print(f"    [dim]{escape(result.contract)}[/]", soft_wrap=True)
            for warning in result.warnings:
                console.print(f"    [yellow]warning:[/] {escape(warning)}", soft_wrap=True)
        sums = ", ".join(f"{self.count(verdict)} {verdict}" for verdict in _SIGNS)
        console.print(f"\n{escape(self.target)} and {self.contract}: {sums}")


def _printable(text: str) -> str:
    """Without what XML cannot hold: a server's own words may be anything."""
    return "".join(char if ord(char) >= _LOWEST_PRINTABLE or char in "\n\t" else "�" for char in text)
