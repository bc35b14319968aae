"""How do we know that the caller speaks, since when, and when exactly they stopped?

Probability alone answers the first question (hysteresis). It answers the others late: after a while of nothing but
noise Silero's probability takes 30 to 180 ms to rise, and it decays for 40 to 100 ms after the last sound. So the onset
is looked for in the levels of the windows before the entry, and the end in those before the exit; where the noise is
too loud for levels to tell, entry and exit themselves count.
"""

from __future__ import annotations

from collections import deque
from itertools import islice, takewhile

from orchestrator.engine.settings import SpeechSettings

WINDOW_MS = 32.0
_BACKDATE_WINDOWS = 6
# No onset is looked for farther back: what sounds for longer and is no speech to the model is something else.
_ONSET_WINDOWS = 4
# A soft first word may pass the model by and be no part of what counts as speech, but the recogniser needs it: so far
# before the entry sound is looked for, with gaps as between syllables.
_FIRST_WORD_WINDOWS = 20
_GAP_WINDOWS = 8
_NOISE_WINDOWS = 64


class SpeechGate:
    """Turns windows into speech with a beginning and an acoustic end (media time, ms)."""

    def __init__(self, settings: SpeechSettings) -> None:
        self._settings = settings
        self.speaking = False
        """Whether the caller speaks now."""
        self.run_windows = 0
        """Windows since speech was entered, while it lasts."""
        self.sounding_windows = 0
        """The same, counted from where the speech began to sound."""
        self.began_ms = 0.0
        """Where the present or last stretch of speech began."""
        self.sound_began_ms = 0.0
        """Where sound began that the present or last stretch of speech followed without a pause: before, or there."""
        self.ended_ms = 0.0
        """Acoustic end of the last stretch of speech; meaningful while not speaking."""
        self.now_ms = 0.0
        """Media time of the last window's end."""
        self.fading_ms = 0.0
        """How long nothing has been loud enough for speech, though it is not certain yet that it is over."""
        self._above = 0
        self._recent: deque[tuple[float, float]] = deque(maxlen=_BACKDATE_WINDOWS)
        self._quiet: deque[float] = deque(maxlen=_NOISE_WINDOWS)
        self._before: deque[float] = deque(maxlen=_FIRST_WORD_WINDOWS)
        self._speech_level = -90.0

    @property
    def hinted(self) -> bool:
        """Whether the last window sounded like speech, though it takes more of them to be sure."""
        return not self.speaking and self._above > 0

    def push(self, end_ms: float, probability: float, level_dbfs: float) -> None:
        """Judge the next window, ending at ``end_ms``."""
        self.now_ms = end_ms
        if self.speaking:
            self.run_windows += 1
            self.sounding_windows += 1
            self._recent.append((end_ms, level_dbfs))
            if probability >= self._settings.enter_probability:
                # A loud syllable raises the estimate at once; it sinks slowly through soft ones.
                self._speech_level = max(level_dbfs, self._speech_level - 0.5)
            threshold = self._threshold()
            self.fading_ms = self.fading_ms + WINDOW_MS if threshold is not None and level_dbfs < threshold else 0.0
            if probability < self._settings.leave_probability:
                self._leave(end_ms)
            return
        if probability >= self._settings.enter_probability:
            self._above += 1
            self._recent.append((end_ms, level_dbfs))
            self._speech_level = max(level_dbfs, self._speech_level - 0.5) if self._above > 1 else level_dbfs
            if self._above >= self._settings.start_windows:
                self.speaking = True
                self.run_windows = self._above
                self.sounding_windows = self._above + self._rising()
                self.began_ms = end_ms - self._above * WINDOW_MS
                self.sound_began_ms = self.began_ms - self._sounding_before() * WINDOW_MS
        else:
            self._above = 0
            self._before.extend(level for _, level in self._recent)
            self._recent.clear()
            self._quiet.append(level_dbfs)
            self._before.append(level_dbfs)

    def _leave(self, exit_ms: float) -> None:
        self.speaking = False
        self._above = 0
        self.ended_ms = self._acoustic_end(exit_ms)
        self._recent.clear()
        self._before.clear()
        self.run_windows = self.sounding_windows = 0
        self.fading_ms = 0.0

    def _rising(self) -> int:
        """Windows just before the entry in which something sounded already."""
        threshold = self._threshold()
        if threshold is None:
            return 0
        latest = islice(reversed(self._before), _ONSET_WINDOWS)
        return sum(1 for _ in takewhile(lambda level: level >= threshold, latest))

    def _sounding_before(self) -> int:
        """Windows before the entry back to where something began to sound that did not fall silent for long."""
        threshold = self._threshold()
        if threshold is None:
            return 0
        began = 0
        for back, level in enumerate(reversed(self._before), start=1):
            if back - began > _GAP_WINDOWS + 1:
                break
            if level >= threshold:
                began = back
        return began

    def _threshold(self) -> float | None:
        """Level that speech is above; None where the noise is too loud to tell."""
        # The quiet half of the recent non-speech windows: a cough between words must not count as noise floor.
        quiet = sorted(self._quiet)[: max(1, len(self._quiet) // 2)]
        floor = sum(quiet) / len(quiet) if quiet else -60.0
        margin = self._settings.energy_margin_db
        if self._speech_level - floor < 2 * margin:
            return None
        return max(floor + margin, self._speech_level - 30.0)

    def _acoustic_end(self, exit_ms: float) -> float:
        threshold = self._threshold()
        if threshold is None:
            return exit_ms - WINDOW_MS
        for end_ms, level in reversed(self._recent):
            if level >= threshold:
                return end_ms
        # Quiet for the whole look-back: Silero held on for longer than we remember.
        return self._recent[0][0] - WINDOW_MS if self._recent else exit_ms - WINDOW_MS
