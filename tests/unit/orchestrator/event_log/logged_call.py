"""A virtual call whose engine is logged, as the session logs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine import Action, Event
from orchestrator.event_log import EventLog, EventLogs, EventLogSettings, RecordedCall, read_log
from tests.unit.orchestrator.engine.conversation import VirtualCall


@dataclass
class LoggedCall(VirtualCall):
    """Writes every event and its actions below ``folder``; ``recorded`` reads them again."""

    folder: Path = Path()
    transcripts: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.told: list[tuple[Event, list[Action]]] = []
        self._logs = EventLogs(EventLogSettings(folder=str(self.folder), transcripts=self.transcripts))
        self.log: EventLog = self._logs.open(
            "call-1", self.settings, "en", self.speculate, self.engine.ids, languages=self.languages
        )

    def tell(self, event: Event) -> list[Action]:
        actions = super().tell(event)
        self.told.append((event, actions))
        self.log.took(event, actions)
        return actions

    def recorded(self) -> RecordedCall:
        """End the log and read it."""
        self.log.close()
        self._logs.close()
        assert self.log.path is not None
        return read_log(self.log.path)
