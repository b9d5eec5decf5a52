"""Runs many concurrent producers, each of which sends its events one after another until they are acknowledged.

This is a script for `python -` in a Pod. Its only argument is a JSON object {url, type, collection, source, token_file,
senders, each, pause, repeat_every}, and its output is another JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

SECONDS = 240.0
"""Maximum number of seconds for an event, after which the sender counts it as given up."""


async def send(session: aiohttp.ClientSession, plan: dict[str, Any], event_id: str, outcomes: Counter[str]) -> None:
    """Send one event with the same id until it is acknowledged."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": plan["source"],
        "type": plan["type"],
        "subject": plan["collection"],
    }
    give_up = time.monotonic() + SECONDS
    while time.monotonic() < give_up:
        try:
            async with session.post(plan["url"], json=event) as answer:
                body = await answer.read()
                if answer.status == 202:
                    outcomes.update(json.loads(body))
                    outcomes["acknowledged"] += 1
                    return
                outcomes[f"status {answer.status}"] += 1
                if answer.status not in (429, 503):
                    return
        except (aiohttp.ClientError, TimeoutError):
            outcomes["no answer"] += 1
        await asyncio.sleep(0.2)
    outcomes["given up"] += 1


async def produce(session: aiohttp.ClientSession, plan: dict[str, Any], number: int, outcomes: Counter[str]) -> None:
    """Send the events of one producer; one in `repeat_every` producers sends each event twice."""
    await asyncio.sleep(number / plan["senders"] * plan["pause"])
    for place in range(plan["each"]):
        event_id = f"{number}-{place}"
        await send(session, plan, event_id, outcomes)
        if number % plan["repeat_every"] == 0:
            await send(session, plan, event_id, outcomes)
        await asyncio.sleep(plan["pause"])


async def main(plan: dict[str, Any], token: str) -> None:
    """Send all events, and print the counts of the results."""
    outcomes: Counter[str] = Counter()
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents+json"},
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=30),
    ) as session:
        began = time.monotonic()
        await asyncio.gather(*(produce(session, plan, number, outcomes) for number in range(plan["senders"])))
        print(json.dumps({**outcomes, "seconds": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    asyncio.run(main(given, Path(given["token_file"]).read_text().strip()))
