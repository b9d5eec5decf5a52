"""Starts the Java processes of Spark's driver and executors without a shell, because the images have none."""

import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, MutableMapping
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from clusterworker.process.errors import MisconfiguredError, UnavailableError

GATEWAY_SECONDS = 120
"""Maximum number of seconds until the driver's Java process has started."""
_EXECUTOR_CLASS = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
_EXECUTOR_OPTIONS = {
    "--driver-url": "SPARK_DRIVER_URL",
    "--executor-id": "SPARK_EXECUTOR_ID",
    "--cores": "SPARK_EXECUTOR_CORES",
    "--app-id": "SPARK_APPLICATION_ID",
    "--hostname": "SPARK_EXECUTOR_POD_IP",
    "--resourceProfileId": "SPARK_RESOURCE_PROFILE_ID",
    "--podName": "SPARK_EXECUTOR_POD_NAME",
}
"""Options of the executor's command, and the variables of its Pod in which Spark passes their values."""
_FIXED = {"SPARK_CONNECT_MODE": "0", "SPARK_SCALA_VERSION": "2.13"}
"""Variables that Spark's scripts set. Spark cannot find the Scala version itself: a release lacks the directories."""
_JAVA_OPTION = "SPARK_JAVA_OPT_"
_NO_ENGINE = (
    "run.engine.type spark needs an image with PySpark and Java 17, which the worker's image is not: set the chart's "
    "value spark.enabled, or set run.engine.type: local"
)


def home() -> Path:
    """Return the directory of PySpark, which holds Spark's jar files.

    Raises:
        MisconfiguredError: PySpark is not installed.
    """
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        raise MisconfiguredError(_NO_ENGINE)
    return Path(found.origin).parent


def java() -> str:
    """Return the path of the Java program.

    Raises:
        MisconfiguredError: Java is not installed.
    """
    own = Path(os.environ.get("JAVA_HOME", "/nowhere"), "bin/java")
    program = str(own) if own.is_file() else shutil.which("java")
    if program is None:
        raise MisconfiguredError(_NO_ENGINE)
    return program


def executor_command(environment: Mapping[str, str]) -> list[str]:
    """Return the command that starts an executor, from the variables that Spark sets in its Pod.

    Raises:
        MisconfiguredError: this is not an executor's Pod, or the image has no Spark.
    """
    absent = [name for name in _EXECUTOR_OPTIONS.values() if name not in environment]
    if absent:
        raise MisconfiguredError(f"no executor of Spark: {absent[0]} is not set: only Spark starts this command")
    memory = environment.get("SPARK_EXECUTOR_MEMORY", "512m")
    options = sorted((name for name in environment if name.startswith(_JAVA_OPTION)), key=_number)
    return [
        java(),
        *(environment[name] for name in options),
        f"-Xms{memory}",
        f"-Xmx{memory}",
        "-cp",
        f"{home()}/jars/*",
        _EXECUTOR_CLASS,
        *(part for option, name in _EXECUTOR_OPTIONS.items() for part in (option, environment[name])),
    ]


def become_executor() -> NoReturn:
    """Replace this process with an executor. The errors are those of `executor_command`."""
    command = executor_command(os.environ)
    os.execve(command[0], command, {**os.environ, "SPARK_HOME": str(home())})  # noqa: S606 - images have no shell


def _number(name: str) -> int:
    return int(name.removeprefix(_JAVA_OPTION))


def start_gateway(
    settings: Mapping[str, str], directory: Path, environment: MutableMapping[str, str] = os.environ
) -> "subprocess.Popen[bytes]":
    """Start the driver's Java process, and set the variables with which PySpark connects to it.

    The Java process ends with this one, because it reads from a pipe to it.

    Args:
        settings: Spark's settings by name.
        directory: Existing directory for the files of the Java process.
        environment: Environment of this process.

    Raises:
        MisconfiguredError: the image has no Spark.
        UnavailableError: the Java process does not start.
    """
    program, connection = java(), directory / "gateway"
    own = {**environment, **_FIXED, "SPARK_HOME": str(home())}
    # Spark's launcher composes the command with the class path, the memory and the modules that Java must open.
    launcher = [program, "-Xmx128m", "-cp", f"{home()}/jars/*", "org.apache.spark.launcher.Main"]
    given = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    submit = ["org.apache.spark.deploy.SparkSubmit", *given, "pyspark-shell"]
    printed = subprocess.run([*launcher, *submit], env=own, capture_output=True, check=False)
    command = printed.stdout.partition(b"\0\n")[2].decode().split("\0")[:-1]
    if printed.returncode or not command:
        raise UnavailableError(f"Spark does not start: {printed.stderr.decode(errors='replace')[-500:]}")
    with (directory / "driver.out").open("wb") as log:
        process = subprocess.Popen(
            command,
            env={**own, "_PYSPARK_DRIVER_CONN_INFO_PATH": str(connection)},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + GATEWAY_SECONDS
    while not connection.is_file():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            output = (directory / "driver.out").read_text(errors="replace")[-500:]
            raise UnavailableError(f"Spark's Java process does not start: {output}")
        time.sleep(0.05)
    content = connection.read_bytes()
    port, length = struct.unpack(">ii", content[:8])
    environment["PYSPARK_PYTHON"] = sys.executable  # also the executors' Python, because they have the driver's image
    environment["PYSPARK_GATEWAY_PORT"] = str(port)
    environment["PYSPARK_GATEWAY_SECRET"] = content[8 : 8 + length].decode()
    return process
