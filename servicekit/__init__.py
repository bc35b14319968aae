"""What every Parley process needs and nobody should write twice.

Sound, settings, logs, telemetry, errors, channels, the life of a server and the life of a process. It knows the
contracts (``parley.*``) and nothing else of Parley; each submodule is imported on its own, so that a service pays only
for what it uses.
"""

from __future__ import annotations

import os
from importlib import metadata

# gRPC's core writes to standard error past every logger, in a format of its own, and reads this when it is loaded: so
# here, before any submodule loads it. What matters of it reaches us as statuses and exceptions.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

__all__ = ["version"]


def version() -> str:
    """Parley's version as installed, or ``0+unknown`` when it runs from a bare source tree."""
    try:
        return metadata.version("parley")
    except metadata.PackageNotFoundError:
        return "0+unknown"
