"""Starts Spark for one run, and carries out tasks on its executors."""

import json
import os
import ssl
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from clustercontract.engine import POD_NAME_VARIABLE, POD_NAMESPACE_VARIABLE, Engine
from clusterworker.process.errors import MisconfiguredError, RunError, UnavailableError
from clusterworker.process.progress import Progress
from clusterworker.process.text import one_line
from clusterworker.spark.java import start_gateway
from clusterworker.spark.settings import LOG_FILE, api_server, settings_of

Task = Callable[[int], None]
"""Processes the part with the given number, and writes its result in one step to storage that the driver reads."""

WATCH_SECONDS = 0.2
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_ERRORS_MODULE = "clusterworker.process.errors."
_TRACEBACK = "Traceback (most recent call last):"
_SHOWN = 400


class Executors:
    """Carries out tasks on the executors of a run.

    Each task runs on an executor with a free CPU. Spark replaces a lost executor and repeats its tasks.

    Args:
        context: PySpark's SparkContext.
        engine: Engine of the RunSpec.
        log: Log file of Spark's driver.
    """

    def __init__(self, context: Any, engine: Engine, log: Path) -> None:
        self._context = context
        self._application: str = context.applicationId
        self._engine = engine
        self._log = log
        self._in_pod = POD_NAME_VARIABLE in os.environ

    @property
    def at_a_time(self) -> int:
        """Number of tasks that run at the same time."""
        return self._engine.executors * self._engine.executor_cores

    def carry_out(self, task: Task, numbers: Sequence[int], progress: Progress) -> None:
        """Carry out a task for each of the numbers, in any order.

        Args:
            task: Must be picklable, and yield the same result if it is repeated.
            numbers: Numbers of the parts.
            progress: Receives the share of finished tasks.

        Raises:
            MisconfiguredError: tasks raised it; the error is that of the lowest number.
            UnavailableError: no executor starts, or a task failed several times.
        """
        if not numbers:
            return
        found: list[tuple[int, str]] = []
        failed: list[BaseException] = []
        # Tasks read Parquet themselves, so that no data frames but only numbers pass through Java.
        each = self._context.parallelize(numbers, len(numbers))

        def collect() -> None:
            try:
                found.extend(each.map(_Work(task)).collect())
            except BaseException as error:  # the waiting thread raises it
                failed.append(error)

        thread = threading.Thread(target=collect, name="spark-job", daemon=True)
        thread.start()
        self._watch(thread, len(numbers), progress)
        if failed:
            raise self._explained(failed[0]) from failed[0]
        refused = min(((number, error) for number, error in found if error), default=None)
        if refused is not None:
            raise MisconfiguredError(refused[1])

    def _watch(self, thread: threading.Thread, tasks: int, progress: Progress) -> None:
        """Wait for the tasks; raise UnavailableError if there is no executor for pending_seconds, or Java has ended."""
        context = self._context
        tracker, last_seen = context.statusTracker(), time.monotonic()
        while thread.is_alive():
            thread.join(WATCH_SECONDS)
            done = 0
            try:
                for stage in tracker.getActiveStageIds():
                    info = tracker.getStageInfo(stage)
                    done += info.numCompletedTasks if info else 0
                registered = self._registered(context)
            except Exception:  # py4j's errors have no text after Java has ended
                raise UnavailableError(f"Spark has ended by itself: {self._why_none()}") from None
            progress.advance(min(done / tasks, 1.0))
            if not self._in_pod or registered > 0:
                last_seen = time.monotonic()
            elif time.monotonic() - last_seen > self._engine.pending_seconds:
                context.cancelAllJobs()
                raise UnavailableError(
                    f"no executor of Spark has started within {self._engine.pending_seconds} s: {self._why_none()}"
                )

    @staticmethod
    def _registered(context: Any) -> int:
        """Return the number of registered executors: all block managers except the driver's."""
        return int(context._jsc.sc().getExecutorMemoryStatus().size()) - 1

    def _explained(self, error: BaseException) -> RunError:
        """Return an error that says in one line why tasks failed."""
        try:
            text = str(error)
        except Exception:  # py4j's errors have no text after Java has ended
            return UnavailableError(f"Spark has ended by itself: {self._why_none()}")
        _, marker, rest = text.rpartition(_ERRORS_MODULE)
        if marker:
            name, _, message = rest.partition("\n")[0].partition(": ")
            return MisconfiguredError(message) if name == MisconfiguredError.__name__ else UnavailableError(message)
        if "ExecutorLostFailure" in text:
            reason = text.partition("Reason: ")[2].partition("\n")[0] or text.partition("\n")[0]
            if "137" in reason or "OOM" in reason:
                return UnavailableError(
                    "executors were killed, most likely out of memory: raise run.engine.executor.resources memory, or "
                    f"lower run.engine.partition_rows: {one_line(reason)[:_SHOWN]}"
                )
            return UnavailableError(f"executors were lost: {one_line(reason)[:_SHOWN]}")
        if "MaxNumExecutorFailures" in text or "executor failures" in text or "SparkContext was shut down" in text:
            return UnavailableError(f"executors failed again and again: {self._why_none()}")
        traced = next((line for line in text.rpartition(_TRACEBACK)[2].splitlines() if line[:1].strip()), "")
        return UnavailableError(f"a task failed in Spark: {one_line(traced or text)[:_SHOWN]}")

    def _why_none(self) -> str:
        """Return why executors do not start: what their Pods wait for, or why the API server rejects the Pods."""
        return _waiting(self._application) or _refused(self._log) or "see the Pods of the run"


class _Work:
    """Runs a task on an executor, for a partition that consists of one number."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __call__(self, number: int) -> tuple[int, str]:
        """Return the number, and the message of an error that a retry would not fix; empty if there is none."""
        try:
            self._task(number)
        except MisconfiguredError as refused:
            return number, one_line(refused)
        return number, ""


@contextmanager
def started(engine: Engine, run: str, scratch: Path, memory: int, progress: Progress) -> Iterator[Executors]:
    """Start Spark, and stop it with all its executors at the end of the context.

    Args:
        engine: Engine of the RunSpec.
        run: Name of the run's Job.
        scratch: Directory for Spark's files.
        memory: Number of bytes that the driver's container may use.
        progress: Receives a message about the start.

    Raises:
        MisconfiguredError: the image has no Spark.
        UnavailableError: Spark does not start.
    """
    with ExitStack() as stack:
        # Java would split a path at a colon or a space, which this name does not contain.
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spark-", dir=scratch)))
        where = "Pods" if POD_NAME_VARIABLE in os.environ else "threads of this machine"
        progress.info(f"starting Spark with {engine.executors} executors of {engine.executor_cores} CPUs, as {where}")
        process = start_gateway(settings_of(engine, run, directory, memory, os.environ), directory)
        stack.callback(_end, process)
        context = _context(directory)
        stack.callback(context.stop)
        yield Executors(context, engine, directory / LOG_FILE)


def _context(directory: Path) -> Any:
    from pyspark import SparkContext

    try:
        context = SparkContext.getOrCreate()
    except Exception as error:  # py4j raises Java's errors
        reason = _refused(directory / LOG_FILE) or one_line(error)[:_SHOWN]
        raise UnavailableError(f"Spark does not start: {reason}") from error
    context.setLogLevel("WARN")
    return context


def _end(process: Any) -> None:
    for variable in ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"):
        os.environ.pop(variable, None)
    _forget_gateway()
    process.stdin.close()
    try:
        process.wait(30)
    except Exception:  # it does not end by itself
        process.kill()
        process.wait()


def _forget_gateway() -> None:
    """Close the connection that PySpark keeps per process, so that the next Spark of this process opens a new one."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is not None:
        gateway.shutdown()
    SparkContext._gateway = SparkContext._jvm = None


def _waiting(application: str) -> str:
    """Return what the executors' Pods wait for according to the API server; empty if it does not say."""
    selector = urllib.parse.quote(f"spark-app-selector={application},spark-role=executor")
    try:
        namespace = os.environ[POD_NAMESPACE_VARIABLE]
        url = f"{api_server(os.environ)}/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"
        token = (_ACCOUNT / "token").read_text().strip()
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - https
        trusted = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
        with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:  # noqa: S310 - https
            pods = json.load(answer)["items"]
    except (KeyError, OSError, ValueError, urllib.error.URLError, MisconfiguredError):
        return ""
    return next((reason for pod in pods if (reason := waits_for(pod))), "")


def waits_for(pod: Mapping[str, Any]) -> str:
    """Return why a Pod has not started, in one line; empty if its status does not say."""
    status = pod.get("status") or {}
    name = pod.get("metadata", {}).get("name", "")
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return one_line(f"Pod {name}: {waiting['reason']}: {waiting.get('message', '')}")[:_SHOWN].rstrip(": ")
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return one_line(f"Pod {name}: {condition.get('reason', '')}: {condition.get('message', '')}")[:_SHOWN]
    return ""


def _refused(log: Path) -> str:
    """Return why the API server last rejected an executor's Pod according to Spark's log; empty if it did not."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    marks = ("Message: ", "forbidden", "exceeded quota", "is invalid")
    refusals = [line for line in lines if any(mark in line for mark in marks)]
    if not refusals:
        return ""
    text = refusals[-1].partition("Message: ")[2] or refusals[-1]
    return one_line(text)[:_SHOWN]
