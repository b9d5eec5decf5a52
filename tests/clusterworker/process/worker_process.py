"""The worker as a separate process, as in a Pod."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from clustercontract.actions.taxonomy_enrichment import ENRICHMENT_SPEC_VARIABLE, EnrichmentSpec
from clustercontract.check import CHECK_SPEC_VARIABLE, CheckSpec
from clustercontract.run import RUN_SPEC_VARIABLE, RunSpec
from tests.clusterworker.conftest import Pod

SOURCES = Path(__file__).resolve().parents[3] / "operator"
_VARIABLES = {"run": RUN_SPEC_VARIABLE, "check": CHECK_SPEC_VARIABLE, "enrich": ENRICHMENT_SPEC_VARIABLE}


def start_worker(
    pod: Pod,
    command: str,
    *arguments: str,
    spec: RunSpec | CheckSpec | EnrichmentSpec | str | None,
    before: str = "",
    **options: Any,
) -> Any:
    """Starts `python -m clusterworker COMMAND`; `before` runs in the process first."""
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    environment |= {"PYTHONPATH": str(SOURCES)}
    if spec is not None:
        environment[_VARIABLES[command]] = spec if isinstance(spec, str) else spec.model_dump_json()
    program = f"import sys\n{before}\nfrom clusterworker.__main__ import main\nsys.exit(main())"
    places = [f"--result={pod.root / 'result'}", f"--secrets={pod.mounts.secrets}", f"--scratch={pod.mounts.scratch}"]
    return subprocess.Popen(
        [sys.executable, "-c", program, command, *arguments, *places],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish_worker(pod: Pod, process: Any) -> tuple[int, str, list[dict[str, Any]]]:
    """Waits for its end; returns its exit code, its result, and the lines of its log."""
    output, errors = process.communicate(timeout=120)
    assert errors == "", errors
    return process.returncode, (pod.root / "result").read_text(), [json.loads(line) for line in output.splitlines()]
