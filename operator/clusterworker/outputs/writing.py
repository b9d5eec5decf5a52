"""Writes several outputs, each until it is complete, and says how far it got where one cannot be."""

import time
from collections.abc import Callable, Sequence

from clusterworker.outputs.table import Output, Table
from clusterworker.process.errors import RunError, UnavailableError
from clusterworker.process.progress import Progress

PAUSES = (2.0, 10.0)
"""Seconds before an output that did not answer is written again: what took hours to compute waits for a server that
restarts."""

Planned = Sequence[tuple[Output, Table]]
"""Outputs, and what each gets."""


def write_all(planned: Planned, progress: Progress, sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """Write all outputs in order.

    Args:
        planned: at least one.
        progress: told how far it is.
        sleep: waits.

    Returns:
        What was written, a line for each.

    Raises:
        RunError: one failed; the line says how far it got, and which ones are complete.
    """
    said: list[str] = []
    for output, table in planned:
        try:
            said.append(_written(output, table, progress, sleep))
        except RunError as error:
            done = f"; {len(said)} of {len(planned)} outputs are complete" if len(planned) > 1 else ""
            again = (
                "another attempt writes all of it" if isinstance(error, UnavailableError) else "the next run writes it"
            )
            raise type(error)(f"{error}{done}; {again}") from error
        progress.info(f"wrote {said[-1]}")
    return said


def _written(output: Output, table: Table, progress: Progress, sleep: Callable[[float], None]) -> str:
    for pause in PAUSES:
        try:
            return output.write(table, progress)
        except UnavailableError as error:
            progress.info(f"writing again in {pause:g} s: {error}")
            sleep(pause)
    return output.write(table, progress)
