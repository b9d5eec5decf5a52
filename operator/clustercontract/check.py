"""The contract of a check: a CheckSpec goes in, a CheckResult with a Measurement comes out, as of a run.

The worker measures; whether the trigger fires is the operator's decision (value > threshold, value > 2 x noise_floor,
both counts at least min_documents; see docs/design/drift.md).
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clustercontract.base import ApiModel
from clustercontract.baseline import Baseline
from clustercontract.container import RESULT_LIMIT, CollectionInput, ResultsTarget, shortened
from clustercontract.drift import DriftMetric

CHECK_SPEC_VARIABLE = "CLUSTERWORKER_CHECK_SPEC"
RECOMPUTE_SLOT = "recompute"
"""Slot of a check that repeats an earlier one: it measures and reports, and leaves the drift record as it is."""

RECORD_FIELD = "drift_record"
"""Field of the line that a check logs last: the trigger's last measurements, oldest first, as columns and rows."""

Obstacle = Literal["baseline_missing", "baseline_altered", "dimensions_changed", "model_changed"]
"""Why there is nothing to measure. The first two end when a run writes a new baseline; so do the others, if the change
was meant."""


class CheckSpec(ApiModel):
    """What a check is to compare.

    Every number of a Measurement is a function of the baseline's file, the collections' documents, `metric` and `seed`
    alone. So a stored measurement is computed again by a check with the measurement's own metric, seed and baseline
    (`baseline_uri`, `baseline_sha256`), whose slot is RECOMPUTE_SLOT: the numbers agree to 1e-6 as long as the
    collections are unchanged; `checked_at` differs.
    """

    version: Literal[1] = 1
    namespace: str
    trigger: str
    check: str = Field(description="The Job's name.")
    slot: str = Field(description="What the check was made for: an RFC 3339 time, or RECOMPUTE_SLOT.")
    collections: list[CollectionInput] = Field(min_length=1)
    metric: DriftMetric
    baseline: Baseline = Field(description="Its uri is a path below RESULTS_MOUNT, or s3://bucket/key.")
    results: ResultsTarget = Field(
        description="Where the drift record goes, <uri>/<namespace>/<trigger>/drift.json; its Secret, endpoint and "
        "region serve to read the baseline too."
    )
    threshold: float = Field(description="Recorded and drawn; the operator decides.")
    min_documents: int = Field(200, ge=1, description="Recorded and drawn; the operator decides.")
    seed: int = Field(description="Of the samples and permutations.")


class Measurement(BaseModel):
    """What a check found. All numbers are finite; unknown fields are kept out, as in RunResult."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    metric: DriftMetric
    value: float = Field(description="The metric's value.")
    threshold: float = Field(description="As in the CheckSpec.")
    baseline_documents: int = Field(description="Documents that the baseline was made of.")
    current_documents: int = Field(description="Documents that the collections hold now.")
    noise_floor: float = Field(
        description="Scale of what chance alone does: unchanged data exceeds twice of it in at most 1 % of checks."
    )
    assignment_js: float = Field(description="Jensen-Shannon distance of the shares per centroid, whatever the metric.")
    p_value: float | None = Field(None, description="Permutation p, for mmd_rbf and domain_auc.")
    advice: str | None = Field(None, description="What to set where the metric cannot tell drift on these documents.")
    baseline_run: str = Field(description="The run that made the baseline.")
    baseline_uri: str
    baseline_sha256: str
    seed: int = Field(description="As in the CheckSpec.")
    checked_at: AwareDatetime


class CheckResult(BaseModel):
    """How a check ended. Unknown fields are kept out, so that an older operator reads a newer worker.

    Completed with a measurement; completed with an obstacle, and then `error` says in one line what is in the way and
    `measurement` is absent; or failed, with `error`.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = 1
    status: Literal["completed", "failed"]
    error: str | None = Field(None, description="One readable line that names the place and the remedy.")
    measurement: Measurement | None = None
    obstacle: Obstacle | None = None

    def to_message(self) -> str:
        """JSON of at most RESULT_LIMIT bytes; the error's tail gives way."""
        message = self.model_dump_json(exclude_none=True)
        if len(message.encode()) <= RESULT_LIMIT:
            return message
        return self.model_copy(update={"error": shortened(self.error)}).model_dump_json(exclude_none=True)
