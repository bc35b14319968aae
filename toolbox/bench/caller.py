"""The callers of a load bench, in a process of their own, so that their work is not counted as the services'.

``python -m toolbox.bench.caller`` reads a LoadScenario as JSON from standard input. On standard output it writes one
JSON object a line: ``{"turns": n}`` whenever turns were finished, at the end ``{"record": LoadRecord}``.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable

from toolbox.bench.questions import Voices
from toolbox.bench.scenario import CallRecord, LoadRecord, LoadScenario
from toolbox.bench.talking import Talker
from toolbox.phone import SimulatedTwilio

_FIRST_CALLER = 15005551000


async def run_callers(scenario: LoadScenario, on_turn: Callable[[], None]) -> LoadRecord:
    """Make all calls of a scenario at once and return what they measured."""
    voices = await asyncio.to_thread(Voices, scenario.level_dbfs)
    records = [CallRecord() for _ in range(scenario.calls)]
    lateness: list[float] = []
    cpu_before = time.process_time()
    async with SimulatedTwilio(scenario.account_sid, scenario.auth_token, rest_port=None) as phone:
        phone.add_number(scenario.to, scenario.webhook_url)

        async def one(index: int) -> None:
            await asyncio.sleep(scenario.ramp_s * index / scenario.calls)
            call = phone.call(to=scenario.to, from_=f"+{_FIRST_CALLER + index}")
            talker = Talker(scenario, voices, random.Random(scenario.seed * 10_000 + index), on_turn)
            await talker.talk(call, records[index])
            lateness.extend(call.handset.lateness)

        async with asyncio.TaskGroup() as calling:
            for index in range(scenario.calls):
                calling.create_task(one(index))
    late = sum(1 for seconds in lateness if seconds > 0.020)
    return LoadRecord(
        calls=records,
        client_cpu_s=time.process_time() - cpu_before,
        client_late_frames_pct=100 * late / len(lateness) if lateness else 0.0,
    )


def main() -> None:
    """Run one scenario."""
    scenario = LoadScenario.model_validate_json(sys.stdin.read())
    done = 0

    def on_turn() -> None:
        nonlocal done
        done += 1
        print(json.dumps({"turns": done}), flush=True)

    record = asyncio.run(run_callers(scenario, on_turn))
    print(json.dumps({"record": record.model_dump()}), flush=True)


if __name__ == "__main__":
    main()
