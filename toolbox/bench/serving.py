"""`parley bench serve`: the set-up of the load bench, held open for somebody else's client."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from toolbox.bench.setup import EngineDelays, bench_setup
from toolbox.output import print_json, result_console


async def serve_setup(
    *, calls: int, delays: EngineDelays, config: Path | None, settings: tuple[str, ...], json: bool
) -> None:
    """Start it, say how to call it, and keep it until SIGINT or SIGTERM.

    Raises:
        ServiceFailedError: A process cannot start, or ended over its settings.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with bench_setup(calls=calls, delays=delays, config=config, settings=settings) as setup:
            facts = {
                "webhook_url": setup.webhook_url,
                "auth_token": setup.auth_token,
                "account_sid": setup.account_sid,
                "to": setup.to,
                "pids": setup.pids,
            }
            if json:
                print_json(facts)
            else:
                console = result_console()
                for name, value in facts.items():
                    console.print(f"{name:>12}  {value}", markup=False, soft_wrap=True)
                console.print("Ctrl-C ends it.")
            await stop.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
