"""``python -m toolbox.instant stt|tts|brain``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run one of them; the rest of the command line is its own."""
    kind, rest = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    # Imported when chosen: a brain needs no gRPC, a recogniser no web server.
    if kind == "stt":
        from servicekit import process  # noqa: PLC0415
        from toolbox.instant import stt  # noqa: PLC0415
        from toolbox.instant.settings import InstantSttSettings  # noqa: PLC0415

        process.main(name="parley-stt", section="stt", settings=InstantSttSettings, run=stt.run, argv=rest)
    elif kind == "tts":
        from servicekit import process  # noqa: PLC0415
        from toolbox.instant import tts  # noqa: PLC0415
        from toolbox.instant.settings import InstantTtsSettings  # noqa: PLC0415

        process.main(name="parley-tts", section="tts", settings=InstantTtsSettings, run=tts.run, argv=rest)
    elif kind == "brain":
        from toolbox.instant import brain  # noqa: PLC0415

        brain.main(rest)
    else:
        sys.exit("usage: python -m toolbox.instant stt|tts|brain [options]")


main()
