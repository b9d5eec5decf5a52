"""Prints what the house style finds in the given files, or in all tracked files; exits with 1 if it finds anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.prose.style import Style

_REPOSITORY = Path(__file__).resolve().parents[2]


def main(names: list[str]) -> int:
    """Checks files.

    Args:
        names: Paths relative to the repository; all tracked files if empty.

    Returns:
        The exit code.
    """
    style = Style.read()
    if not names:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=_REPOSITORY, capture_output=True, text=True, check=True)
        names = [name for name in listed.stdout.split("\0") if name]
    found = 0
    for name in filter(style.covers, names):
        for problem in style.problems_in((_REPOSITORY / name).read_text(encoding="utf-8"), name):
            found += 1
            print(problem)
    if found:
        print(f"prose: {found} problems; the house style is in harness/prose/style.toml", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
