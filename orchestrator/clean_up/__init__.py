"""Optional clean-up of the caller's sound: noise suppression and level control, off by default.

* `check` says at start whether what the settings ask for can be done
* `open_clean_up` gives the clean-up of one call, `CleanUp`
* `open_wire_clean_up` gives one that speech to text hears as well, `WireCleanUp`
"""

from orchestrator.clean_up.cleaning import CleanUp, check, open_clean_up
from orchestrator.clean_up.settings import CleanUpSettings, NoiseSuppression
from orchestrator.clean_up.wire import WireCleanUp, open_wire_clean_up

__all__ = [
    "CleanUp",
    "CleanUpSettings",
    "NoiseSuppression",
    "WireCleanUp",
    "check",
    "open_clean_up",
    "open_wire_clean_up",
]
