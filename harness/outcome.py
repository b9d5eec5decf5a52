"""Reports a measurement: a table, bench/out/NAME.json, and with CHECK=1 an exit code if a goal is missed."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.cluster.files import REPOSITORY

OUT = REPOSITORY / "bench/out"
CHECK = "CHECK"
"""Environment variable: 1 makes a missed goal an error."""
Row = Mapping[str, Any]
_servers: dict[str, str] = {}
_LIBRARIES = ("aiohttp", "faiss-cpu", "fast-hdbscan", "kopf", "kubernetes", "numpy", "pyarrow", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Goal:
    """A goal for a measured figure.

    Attributes:
        name: Name of the figure.
        measured: The figure.
        limit: Minimum or maximum of the figure.
        at_least: Whether limit is the minimum.
        unit: Unit of both, such as s, MiB or "times"; "" if there is none.
    """

    name: str
    measured: float
    limit: float
    at_least: bool
    unit: str

    @property
    def met(self) -> bool:
        """Whether it is met; a figure that is not a number meets no goal."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def __str__(self) -> str:
        bound = "at least" if self.at_least else "at most"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name}: {_shown(self.measured)}{unit}, goal {bound} {_shown(self.limit)}{unit}"


def finish(name: str, rows: Sequence[Row], goals: Sequence[Goal], out: Path = OUT) -> int:
    """Prints and stores a measurement, and returns the exit code.

    Args:
        name: Name of the bench, and of its file.
        rows: Rows of the table; the columns are the keys in the order of their first occurrence.
        goals: Goals of the figures.
        out: Directory for NAME.json.

    Returns:
        1 if the environment says CHECK=1 and a goal was missed, else 0.
    """
    print("\n".join(table(rows)))
    for goal in goals:
        print(f"{'met   ' if goal.met else 'MISSED'}  {goal}")
    document = {
        "name": name,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "rows": [dict(row) for row in rows],
        "goals": [{**asdict(goal), "met": goal.met} for goal in goals],
        "machine": machine(),
        "versions": versions(),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    missed = [goal for goal in goals if not goal.met]
    if os.environ.get(CHECK) != "1" or not missed:
        return 0
    print(f"{name}: {len(missed)} of {len(goals)} goals missed: {'; '.join(goal.name for goal in missed)}")
    return 1


def table(rows: Sequence[Row]) -> list[str]:
    """Returns the lines of an aligned table: numbers right-aligned, words left-aligned, a dash for a missing value."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    numeric = {
        column: all(isinstance(row[column], (int, float)) for row in rows if row.get(column) is not None)
        for column in columns
    }
    cells = [columns] + [[_shown(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]

    def align(column: str, cell: str, width: int) -> str:
        return cell.rjust(width) if numeric[column] else cell.ljust(width)

    return [
        "  ".join(
            align(column, cell, width) for column, cell, width in zip(columns, line, widths, strict=True)
        ).rstrip()
        for line in cells
    ]


def machine() -> dict[str, Any]:
    """Describes the machine of the measurement."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "load_average": round(os.getloadavg()[0], 2),
    }


def measured_on(**programs: str) -> None:
    """Records and prints the versions of measured servers, such as that of Kubernetes."""
    _servers.update(programs)
    print(", ".join(f"{program} {version}" for program, version in programs.items()))


def versions() -> dict[str, str]:
    """Returns the versions of Python, of the measured servers, and of the installed libraries that matter."""
    found = {"python": platform.python_version(), **_servers}
    for library in _LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
