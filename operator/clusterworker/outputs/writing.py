"""Writes several outputs, each until it is complete, and reports how far it got if that fails."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from clustercontract.counted import counted
from clustercontract.output import OutputInput
from clusterworker.outputs.opening import open_outputs
from clusterworker.outputs.table import Output, Table
from clusterworker.process.errors import RunError, UnavailableError
from clusterworker.process.progress import Progress

PAUSES = (2.0, 10.0)
"""Seconds before an output that did not respond is written again. A result that took hours to compute waits for a
server that restarts.
"""

Planned = Sequence[tuple[Output, Table]]
"""Outputs, and the table for each."""


class OutputSet:
    """The collections that a run writes. They are checked before the run computes anything, and written at its end.

    Args:
        outputs: The outputs in the run's input.
        scratch: Directory for temporary files.
        secrets: Directory with one directory per mounted Secret.
    """

    def __init__(self, outputs: Sequence[OutputInput], scratch: Path, secrets: Path) -> None:
        self._opened = list(zip(open_outputs(outputs, scratch, secrets), outputs, strict=True))

    def check_before_reading(self, table_of: Callable[[OutputInput], Table]) -> None:
        """Checks the outputs that may add columns to a collection that the run reads.

        While a table is read, it is locked against new columns.

        Args:
            table_of: Returns the table of an output, without rows. Document ids can have any type.

        Raises:
            RunError: one of them cannot be written.
        """
        for output, output_input in self._opened:
            if output_input.write.table is None:
                output.check(table_of(output_input))

    def check(self, table_of: Callable[[OutputInput], Table]) -> None:
        """Checks the other outputs.

        Args:
            table_of: Returns the table of an output, without rows.

        Raises:
            RunError: one of them cannot be written.
        """
        for output, output_input in self._opened:
            if output_input.write.table is not None:
                output.check(table_of(output_input))

    def write(self, table_of: Callable[[OutputInput], Table], progress: Progress) -> list[str]:
        """Writes the outputs.

        Args:
            table_of: Returns the table of an output.
            progress: Receives the progress.

        Returns:
            What was written, a line for each.

        Raises:
            RunError: one of them failed, and how far it got.
        """
        if not self._opened:
            return []
        progress.phase("write", f"writing {counted(len(self._opened), 'output collection')}")
        planned = [(output, table_of(given)) for output, given in self._opened]
        return [f"wrote {line}" for line in write_all(planned, progress)]


def write_all(planned: Planned, progress: Progress, sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """Writes all outputs in order.

    Args:
        planned: At least one output.
        progress: Receives the progress.
        sleep: Waits for a number of seconds.

    Returns:
        What was written, a line for each.

    Raises:
        RunError: one failed; the line says how far it got, and which ones are complete.
    """
    summaries: list[str] = []
    for output, table in planned:
        try:
            summaries.append(_written(output, table, progress, sleep))
        except RunError as error:
            done = f"; {len(summaries)} of {len(planned)} outputs are complete" if len(planned) > 1 else ""
            again = "another attempt repeats it" if isinstance(error, UnavailableError) else "the next run repeats it"
            raise type(error)(f"{error}{done}; {again}") from error
        progress.info(f"wrote {summaries[-1]}")
    return summaries


def _written(output: Output, table: Table, progress: Progress, sleep: Callable[[float], None]) -> str:
    for pause in PAUSES:
        try:
            return output.write(table, progress)
        except UnavailableError as error:
            progress.info(f"writing is repeated in {pause:g} s: {error}")
            sleep(pause)
    return output.write(table, progress)
