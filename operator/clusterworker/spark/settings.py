"""Computes Spark's settings from the engine of the RunSpec and from the environment of the driver's Pod."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clustercontract.engine import (
    BLOCK_MANAGER_PORT,
    DRIVER_PORT,
    EXECUTOR_CONTAINER,
    PLACEMENT_VARIABLE,
    POD_IP_VARIABLE,
    POD_NAME_VARIABLE,
    POD_NAMESPACE_VARIABLE,
    POD_UID_VARIABLE,
    Engine,
    ExecutorPlacement,
)
from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.threads import VARIABLES

LEAST_HEAP = 512
"""Minimum heap of a Java process in MiB; Spark rejects less than 450. Documents are in Python's memory instead."""
TASK_FAILURES = 4
_UNLIMITED = 2**31 - 1
_LOG = """\
status = error
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {file}
appender.file.filePattern = {file}.%i
appender.file.append = true
appender.file.policies.type = SizeBasedTriggeringPolicy
appender.file.policies.size = 4MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 1
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %c{{1}}: %m%n%ex
"""
LOG_FILE = "spark.log"


def settings_of(
    engine: Engine, name: str, directory: Path, memory: int, environment: Mapping[str, str]
) -> dict[str, str]:
    """Return Spark's settings, and write the files that they name.

    In a Pod, executors are Pods. Elsewhere, as on a developer's machine, they are threads of the driver's Java process.

    Args:
        engine: Engine of the RunSpec.
        name: Name of the run.
        directory: Existing directory for the files.
        memory: Number of bytes that the driver's container may use.
        environment: Environment of the driver.

    Raises:
        MisconfiguredError: the driver's Pod lacks a variable.
    """
    log = directory / "log4j2.properties"
    log.write_text(_LOG.format(file=directory / LOG_FILE))
    heap = max(LEAST_HEAP, min(memory >> 23, 4096))
    settings = {
        "spark.app.name": name,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": f"{heap}m",
        # spark.local.dir would also be used by the executors.
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={log} -Djava.io.tmpdir={directory}",
        "spark.sql.warehouse.dir": str(directory / "warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.dynamicAllocation.enabled": "false",
        "spark.speculation": "false",
        "spark.task.maxFailures": str(TASK_FAILURES),
        # A task has one thread, because an executor runs as many tasks as it has CPUs.
        **{f"spark.executorEnv.{variable}": "1" for variable in VARIABLES},
    }
    if POD_NAME_VARIABLE not in environment:
        tasks = engine.executors * engine.executor_cores
        return settings | {"spark.master": f"local[{tasks},{TASK_FAILURES}]", "spark.driver.host": "127.0.0.1"}
    template = directory / "executor.json"
    template.write_text(json.dumps(_placed(engine.executor_template, environment.get(PLACEMENT_VARIABLE, ""))))
    return settings | _on_kubernetes(engine, template, environment)


def _on_kubernetes(engine: Engine, template: Path, environment: Mapping[str, str]) -> dict[str, str]:
    heap = max(LEAST_HEAP, min(engine.executor_memory // 8, 4096))
    settings = {
        "spark.master": f"k8s://{api_server(environment)}",
        "spark.submit.deployMode": "client",
        "spark.kubernetes.namespace": _own(environment, POD_NAMESPACE_VARIABLE),
        # The driver's Pod owns the executors' Pods, so that they are deleted with it.
        "spark.kubernetes.driver.pod.name": _own(environment, POD_NAME_VARIABLE),
        "spark.driver.host": _own(environment, POD_IP_VARIABLE),
        "spark.driver.bindAddress": _own(environment, POD_IP_VARIABLE),
        "spark.driver.port": str(DRIVER_PORT),
        "spark.driver.blockManager.port": str(BLOCK_MANAGER_PORT),
        "spark.blockManager.port": str(BLOCK_MANAGER_PORT),
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        "spark.executor.instances": str(engine.executors),
        "spark.executor.cores": str(engine.executor_cores),
        "spark.executor.memory": f"{heap}m",
        "spark.executor.memoryOverhead": f"{max(engine.executor_memory - heap, 384)}m",
        "spark.kubernetes.executor.request.cores": engine.executor_cpu_request,
        "spark.kubernetes.container.image": engine.image,
        "spark.kubernetes.container.image.pullPolicy": _pull_policy(engine.executor_template),
        "spark.kubernetes.executor.podTemplateFile": str(template),
        "spark.kubernetes.executor.podTemplateContainerName": EXECUTOR_CONTAINER,
        "spark.kubernetes.executor.podNamePrefix": _prefix(environment),
        "spark.kubernetes.executor.deleteOnTermination": "true",
        "spark.kubernetes.authenticate.executor.serviceAccountName": engine.service_account_name,
        "spark.kubernetes.executor.disableConfigMap": "true",
        # The driver has no claims, and its service account may not be allowed to list them.
        "spark.kubernetes.driver.ownPersistentVolumeClaim": "false",
        "spark.kubernetes.driver.service.deleteOnTermination": "false",
        "spark.kubernetes.submission.waitAppCompletion": "false",
        "spark.scheduler.minRegisteredResourcesRatio": "0",
        # Each second, a Pod that a quota rejects counts as a failure: Spark would end long before pending_seconds.
        # The tasks of a lost executor fail, and tasks have their own limit.
        "spark.executor.maxNumFailures": str(_UNLIMITED),
    }
    if engine.executor_cpu_limit is not None:
        settings["spark.kubernetes.executor.limit.cores"] = engine.executor_cpu_limit
    return settings


def api_server(environment: Mapping[str, str]) -> str:
    """Return the API server's URL from the Pod's variables, as not all clusters resolve kubernetes.default.svc."""
    host, port = (_own(environment, f"KUBERNETES_SERVICE_{part}") for part in ("HOST", "PORT"))
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _prefix(environment: Mapping[str, str]) -> str:
    """Return a prefix for the executors' names that is unique to this attempt. Spark allows 47 characters."""
    return f"{_own(environment, POD_NAME_VARIABLE)[:36].rstrip('-.')}-{_own(environment, POD_UID_VARIABLE)[:8]}"


def _placed(template: Mapping[str, Any], placement: str) -> Mapping[str, Any]:
    """Return the executors' Pod at the place that the run's admission has assigned; "" for none."""
    return ExecutorPlacement.model_validate_json(placement).applied_to(template) if placement else template


def _pull_policy(template: Mapping[str, Any]) -> str:
    """Return the template's pull policy, which Spark would replace with its own default."""
    containers = (template.get("spec") or {}).get("containers") or ()
    return str(next((given["imagePullPolicy"] for given in containers if "imagePullPolicy" in given), "IfNotPresent"))


def _own(environment: Mapping[str, str], variable: str) -> str:
    try:
        return environment[variable]
    except KeyError:
        raise MisconfiguredError(
            f"environment variable {variable} is not set: the operator and the worker's image must have the same "
            "version"
        ) from None
