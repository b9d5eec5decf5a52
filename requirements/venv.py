"""Make or update .venv from requirements/dev.txt; instant when nothing changed.

Runs under any python3, also one that is too old to run the project, so that it can say so.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, ".requirements")
INPUTS = ("requirements/dev.txt", "pyproject.toml")
MINIMUM = (3, 11)


def fingerprint():
    """Return what the environment depends on: the inputs' content and the interpreter."""
    digest = hashlib.sha256(repr((sys.version_info[:3], sys.base_prefix, ROOT)).encode())
    for name in INPUTS:
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def is_current(wanted):
    """Tell whether the stamp, written last, matches the inputs."""
    try:
        with open(STAMP) as file:
            return file.read() == wanted
    except FileNotFoundError:
        return False


def say(line):
    """Print one line of progress at once."""
    print("venv: " + line, file=sys.stderr, flush=True)


def has_venv_module():
    """Tell whether this interpreter can make environments (Debian splits that off)."""
    return subprocess.run([sys.executable, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL).returncode == 0


def ensure_venv_module():
    """Install Debian's python3-venv where it is missing and that is possible; otherwise say what to do."""
    if has_venv_module():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("this Python has no ensurepip; installing Debian's python3-venv")
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        for arguments in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", "python3-venv"]):
            subprocess.run(["apt-get"] + arguments, check=True, env=environment, stdout=subprocess.DEVNULL)
        if has_venv_module():
            return
    sys.exit("venv: %s cannot make environments; install the package python3-venv and try again" % sys.executable)


def make(wanted):
    """Create the environment if need be and install everything that dev.txt pins."""
    python = os.path.join(VENV, "bin", "python")
    works = os.path.exists(python) and (
        subprocess.run(
            [python, "-c", "import sys, pip; assert sys.version_info[:2] == %r" % (sys.version_info[:2],)],
            stderr=subprocess.DEVNULL,
        ).returncode
        == 0
    )
    if not works:
        ensure_venv_module()
        say("creating .venv with Python %d.%d.%d" % sys.version_info[:3])
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    if os.path.exists(STAMP):
        os.remove(STAMP)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-qq", "--no-input"]
    say("installing requirements/dev.txt (a minute or two the first time)")
    subprocess.run(
        pip + ["--require-hashes", "--no-deps", "-r", os.path.join(ROOT, "requirements", "dev.txt")], check=True
    )
    say("installing the project itself, editable")
    subprocess.run(pip + ["--no-deps", "--no-build-isolation", "--editable", ROOT], check=True)
    with open(STAMP, "w") as file:
        file.write(wanted)
    say("ready: .venv/bin/python")


def main():
    """Do nothing, or make the environment while holding a lock: several makes may run at once."""
    if sys.version_info < MINIMUM:
        sys.exit(
            "venv: Python %d.%d is too old, 3.11 or newer is needed: make venv PYTHON=/path/to/python3.11"
            % sys.version_info[:2]
        )
    wanted = fingerprint()
    if is_current(wanted):
        return
    with open(os.path.join(ROOT, "requirements", ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current(wanted):
            try:
                make(wanted)
            except subprocess.CalledProcessError as error:
                sys.exit("venv: failed: %s" % " ".join(error.cmd))


if __name__ == "__main__":
    main()
