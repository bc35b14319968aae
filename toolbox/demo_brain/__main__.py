"""`python -m toolbox.demo_brain`: the demo brain on a port of its own, until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal

from toolbox.demo_brain import DemoBrain, Pace


def main() -> None:
    """Serve until SIGINT or SIGTERM; print the address first."""
    parser = argparse.ArgumentParser(prog="python -m toolbox.demo_brain", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--first-word-ms", type=float, default=Pace.first_word_ms)
    parser.add_argument("--word-ms", type=float, default=Pace.word_ms)
    parser.add_argument("--story-word-ms", type=float, default=Pace.story_word_ms)
    parser.add_argument("--look-up-ms", type=float, default=Pace.look_up_ms)
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> None:
    pace = Pace(arguments.first_word_ms, arguments.word_ms, arguments.story_word_ms, arguments.look_up_ms)
    # The key comes from the environment: an argument would show in the list of processes.
    key = os.environ.get("PARLEY_DEMO_BRAIN_API_KEY", "")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with DemoBrain(host=arguments.host, port=arguments.port, pace=pace, api_key=key) as brain:
        print(brain.base_url, flush=True)
        await stop.wait()


if __name__ == "__main__":
    main()
