"""Make or update .venv from requirements/dev.txt; instant when nothing changed.

Starts under any python3, also one that is too old to run the project, so that it can say so.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".requirements"
DEV = ROOT / "requirements" / "dev.txt"
LOCK = ROOT / "requirements" / ".lock"
MINIMUM = (3, 11)


def fingerprint() -> str:
    """Return a digest of what the environment depends on: interpreter, place, pins, packaging; not tools' settings."""
    import tomllib  # not at the top: older Pythons must get far enough to be refused politely

    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packaging = (pyproject["project"], pyproject["build-system"], pyproject["tool"]["hatch"])
    inputs = (sys.version_info[:3], sys.base_prefix, str(ROOT), DEV.read_text(), packaging)
    return hashlib.sha256(repr(inputs).encode()).hexdigest()


def is_current(wanted: str) -> bool:
    """Tell whether the stamp, written last, matches the inputs."""
    return STAMP.exists() and STAMP.read_text() == wanted


def say(line: str) -> None:
    """Print one line of progress at once."""
    print("venv: " + line, file=sys.stderr, flush=True)


def runs(python: str | Path, statement: str) -> bool:
    """Tell whether that interpreter executes the statement without an error."""
    return subprocess.run([python, "-c", statement], check=False, stderr=subprocess.DEVNULL).returncode == 0


def ensure_venv_module() -> None:
    """Install Debian's python3-venv where it is missing and that is possible; otherwise say what to do."""
    if runs(sys.executable, "import ensurepip, venv"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("this Python has no ensurepip; installing Debian's python3-venv")
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        for arguments in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", "python3-venv"]):
            subprocess.run(["apt-get", *arguments], check=True, env=environment, stdout=subprocess.DEVNULL)
        if runs(sys.executable, "import ensurepip, venv"):
            return
    sys.exit(f"venv: {sys.executable} cannot make environments; install the package python3-venv and try again")


def make() -> None:
    """Create the environment if necessary, and install everything that dev.txt pins."""
    version = sys.version_info[:2]
    if not (VENV_PYTHON.exists() and runs(VENV_PYTHON, f"import pip, sys; assert sys.version_info[:2] == {version}")):
        ensure_venv_module()
        say("creating .venv with Python {}.{}.{}".format(*sys.version_info[:3]))
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    STAMP.unlink(missing_ok=True)
    # -qq: pip warns once per package and extra index that lacks it.
    pip = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "-qq", "--no-input", "--no-deps"]
    say("installing requirements/dev.txt (a minute or two the first time)")
    subprocess.run([*pip, "--require-hashes", "-r", str(DEV)], check=True)
    say("installing the project itself, editable")
    subprocess.run([*pip, "--no-build-isolation", "--editable", str(ROOT)], check=True)


def main() -> None:
    """Do nothing, or make the environment while holding a lock: several makes may run at once."""
    if sys.version_info < MINIMUM:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"venv: Python {found} is too old, 3.11 or newer is needed: make venv PYTHON=/path/to/python3.11")
    wanted = fingerprint()
    if is_current(wanted):
        return
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_current(wanted):
            return
        try:
            make()
        except subprocess.CalledProcessError as error:
            sys.exit("venv: failed: " + " ".join(map(str, error.cmd)))
        STAMP.write_text(wanted)
    say("ready: .venv/bin/python")


if __name__ == "__main__":
    main()
