"""Takes the errors of requests whose callers do not wait any more.

asyncio logs an error that is never retrieved as a fault of the program. A caller who has left is none.
"""

from __future__ import annotations

import asyncio
from typing import Any


def retrieve_error(future: asyncio.Future[Any]) -> None:
    """Retrieves the error of a future, so that asyncio does not log it; for `add_done_callback`, too.

    A caller that awaits the future gets the error nevertheless.

    Args:
        future: A future or task. If it is not done, nothing happens.
    """
    if future.done() and not future.cancelled():
        future.exception()
