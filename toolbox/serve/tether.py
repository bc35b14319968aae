"""Ties a process to its parent, then becomes the program it is told to run.

Run as a script, without site packages, so that it costs a few milliseconds: ``python -I -S tether.py PARENT PROGRAM
ARGUMENT…``. A supervisor that is killed outright cannot stop its children; on Linux the kernel does it instead
(prctl(2), ``PR_SET_PDEATHSIG``), and the order survives ``exec``. It is set here, not between fork and exec in the
supervisor, because code there may not run in a process that has threads, and gRPC has some.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie and exec; exits with 3 when the parent is already gone."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the order stood.
    if os.getppid() != parent:
        sys.exit(3)
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
