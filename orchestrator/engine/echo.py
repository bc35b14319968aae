"""Is that the caller, or our own voice come back from the line?

Most lines return nothing, and there every sound is the caller's. Where something does return, it is learned from the
first time that words gave it away: by how much it is quieter than what we play. From then on speech that clears that
level by a margin is the caller's at once, and speech below it has to show words of its own.

Loudness that follows ours is weak evidence: over a syllable or two almost everything does. So it is compared over long
stretches only, and only ever to let the agent go on.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from statistics import median

from orchestrator.engine.cues import words_of
from orchestrator.engine.cues.echo import overlap
from orchestrator.engine.events import SILENCE_DBFS
from orchestrator.engine.settings import EchoSettings
from orchestrator.engine.speech import WINDOW_MS

# Sound takes 80 to 600 ms from us through a telephone network and back.
_NEAREST_LAG, _FARTHEST_LAG = 2, 19
_KEPT_WINDOWS = 160
# Of a line on which nobody speaks, so much tells how loud it is by itself.
_QUIET_WINDOWS = 33
_FAINT_DBFS = -60.0
# Speech sinks between syllables: it clears the guard when this share of the last windows does.
_RECENT_WINDOWS = 8
# After this many windows of our speech without as much echo as was learned, less of it is expected.
_UNLEARN_WINDOWS = 60
_UNLEARN_DB = 3.0
# What comes back louder than this no level tells from a caller.
_LOUDEST_RETURN_DB = -6.0
# More words of ours than this are older than what can still come back.
_PLAYED_WORDS = 16
# A line that was seen to return nothing needs more words of ours to be doubted: callers say some of them too.
_DOUBTING_WORDS = 3
# Of a long transcript the last words tell: an echo goes on for as long as we speak, and a caller may join in.
_COMPARED_WORDS = 8


class EchoGuard:
    """What is known of a call's echo. Levels in dBFS; times monotonic ms; one ``window`` per 32 ms, in order."""

    def __init__(self, settings: EchoSettings) -> None:
        self._settings = settings
        self.return_db: float | None = None
        """Level of the echo relative to what we play; None while none is known."""
        self._levels: deque[float] = deque(maxlen=_KEPT_WINDOWS)
        self._played: deque[float] = deque(maxlen=_KEPT_WINDOWS)
        self._cleared: deque[bool] = deque(maxlen=_RECENT_WINDOWS)
        self._stretch = 0
        self._unheard = 0
        self._quiet: deque[float] = deque(maxlen=_QUIET_WINDOWS)
        self._unreturned = 0
        self._proven = False
        self._said: tuple[str, ...] = ()
        self._coming: tuple[str, ...] = ()
        self._said_at_ms = -math.inf

    def window(self, level_dbfs: float, agent_dbfs: float, *, speaking: bool) -> None:
        """The next window of the caller's sound, and what we played at the time."""
        self._levels.append(level_dbfs)
        self._played.append(agent_dbfs)
        self._unlearn(level_dbfs)
        if not speaking:
            self._stretch = 0
            self._cleared.clear()
            self._prove(level_dbfs)
            return
        self._stretch += 1
        self._unreturned = 0
        self._cleared.append(level_dbfs > self._expected() + self._settings.margin_db)

    def _prove(self, level_dbfs: float) -> None:
        """Count how long we have been heard in one go without anything rising above the line's own noise.

        The gaps between the words of an echo prove nothing.
        """
        if not self.audible:
            self._quiet.append(level_dbfs)
        elif not self._quiet or level_dbfs > median(self._quiet) + self._settings.margin_db:
            self._unreturned = 0
        else:
            self._unreturned += 1
            self._proven = self._proven or self._unreturned * WINDOW_MS >= self._settings.unproven_ms

    def playing(self, said: str, coming: str, now_ms: float) -> None:
        """``said`` has just been heard of what we say; ``coming`` follows in the next moments.

        Empty ``said`` tells of a playout that begins: what was heard of the one before may still come back.
        """
        if said:
            self._said = words_of(said)[-_PLAYED_WORDS:]
        elif self._said_at_ms < now_ms - self._settings.words_within_ms:
            self._said = ()
        self._coming = words_of(coming)
        self._said_at_ms = now_ms

    # ------------------------------------------------------------------------------------------------------ judging

    def cleared(self, windows: int) -> bool:
        """Whether the caller's speech of late is too loud for an echo, for at least ``windows`` windows."""
        if self.return_db is None or not self._settings.enabled:
            return True
        wanted = min(windows, _RECENT_WINDOWS)
        return sum(self._cleared) >= max(1, wanted - wanted // 4)

    def is_echo(self, text: str, began_at_ms: float) -> bool:
        """Whether the words of an utterance that began at ``began_at_ms`` are ours."""
        words = words_of(text)[-_COMPARED_WORDS:]
        within_ms = self._settings.words_within_ms
        if not words or not self._settings.enabled or self._said_at_ms < began_at_ms - within_ms:
            return False
        if not self.unproven and len(words) < _DOUBTING_WORDS:
            return False
        return overlap(words, self._said + self._coming) >= self._settings.words_share

    @property
    def audible(self) -> bool:
        """Whether anything was played within the last moments that could come back."""
        return max(islice(self._played, max(0, len(self._played) - _FARTHEST_LAG), None), default=SILENCE_DBFS) > (
            _FAINT_DBFS
        )

    @property
    def unproven(self) -> bool:
        """Whether the agent has not yet been heard for long enough to say that this line returns nothing."""
        if not self._settings.enabled:
            return False
        return self.return_db is not None or not self._proven

    @property
    def follows(self) -> bool:
        """Whether the present stretch of speech is long enough to tell, and its loudness follows ours."""
        windows = min(self._stretch, len(self._levels) - _FARTHEST_LAG)
        if windows * WINDOW_MS < self._settings.correlate_ms:
            return False
        levels = [max(level, _FAINT_DBFS) for level in islice(self._levels, len(self._levels) - windows, None)]
        played = [max(level, _FAINT_DBFS) for level in self._played]
        wanted = self._settings.correlation
        for lag in range(_NEAREST_LAG, _FARTHEST_LAG + 1):
            end = len(played) - lag
            if _correlation(levels, played[end - windows : end]) >= wanted:
                return True
        return False

    # ----------------------------------------------------------------------------------------------------- learning

    def learn(self, windows: int) -> None:
        """The last ``windows`` windows held echo: remember how loud it was."""
        heard = self.return_over(windows)
        if heard is None or heard > _LOUDEST_RETURN_DB:
            return
        self._proven = False
        self.return_db = heard if self.return_db is None else max(heard, (self.return_db + heard) / 2)
        self._unheard = 0

    def return_over(self, windows: int) -> float | None:
        """Level of the last ``windows`` windows relative to what we played, were they echo; None where we did not."""
        count = min(windows, len(self._levels) - _FARTHEST_LAG)
        if count <= 0 or not self._settings.enabled:
            return None
        levels = list(self._levels)[-count:]
        played = list(self._played)
        reference = max(played[len(played) - count - _FARTHEST_LAG :])
        if reference <= _FAINT_DBFS:
            return None
        loud = sorted(levels)[(9 * len(levels)) // 10 if len(levels) >= 10 else -1]
        return min(loud - reference, 0.0)

    def _expected(self) -> float:
        if self.return_db is None:
            return -math.inf
        reference = max(islice(self._played, max(0, len(self._played) - _FARTHEST_LAG), None))
        return reference + self.return_db if reference > _FAINT_DBFS else -math.inf

    def _unlearn(self, level_dbfs: float) -> None:
        """An echo that does not come any more, or comes fainter, must not hide the caller for the rest of the call."""
        if self.return_db is None:
            return
        expected = self._expected()
        if expected == -math.inf:
            return
        if level_dbfs > expected - 2 * self._settings.margin_db:
            self._unheard = 0
            return
        self._unheard += 1
        if self._unheard >= _UNLEARN_WINDOWS:
            self._unheard = 0
            self.return_db -= _UNLEARN_DB
            if self.return_db < SILENCE_DBFS - _FAINT_DBFS:
                self.return_db = None


def _correlation(one: list[float], other: list[float]) -> float:
    """Pearson's coefficient of two series of equal length; 0 where either does not vary."""
    count = len(one)
    if count != len(other) or count < 2:
        return 0.0
    mean, mean_other = sum(one) / count, sum(other) / count
    covariance = variance = variance_other = 0.0
    for a, b in zip(one, other, strict=True):
        x, y = a - mean, b - mean_other
        covariance += x * y
        variance += x * x
        variance_other += y * y
    if variance < 1e-9 or variance_other < 1e-9:
        return 0.0
    return covariance / math.sqrt(variance * variance_other)
