"""Defines `run.engine`: whether a run's Pod or Spark's executors read the documents."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from clustercontract.base import ApiModel, cel, with_rules
from clustercontract.engine import (
    EXECUTORS,
    LOCAL_BELOW,
    MOST_EXECUTORS,
    PARTITION_ROWS,
    SPARK_ALGORITHMS,
    EngineType,
)
from clustertrigger.api.placement import LabelValue, Toleration, cel_keys
from clustertrigger.api.resources import Resources


class ExecutorPolicy(ApiModel):
    """The Pods of Spark's executors. Settings that are not here are the same as for the run's Pod."""

    model_config = ConfigDict(json_schema_extra=with_rules(cel_keys("node_selector")))

    resources: Resources = Field(
        default=Resources(requests={"cpu": "1", "memory": "2Gi"}),
        description="Resources of each executor. An executor works on as many partitions at a time as it has CPUs "
        "(the limit, or else the request). Its memory request is also its limit.",
    )
    node_selector: dict[str, LabelValue] | None = Field(
        None,
        max_length=64,
        description="Labels that a node must have to run an executor. Default: run.node_selector.",
    )
    tolerations: list[Toleration] | None = Field(
        None, max_length=64, description="Tolerations of the executors. Default: run.tolerations."
    )


EXECUTOR_FIELDS = ("executors", "executor", "partition_rows")
"""Fields of the engine that say how Spark works."""


def _engine_local(field: str) -> str:
    return f"{field} is valid only with engine type spark or auto: remove it, or set engine.type"


LOCAL_BELOW_NEEDS_AUTO = "local_below is valid only with engine type auto: remove it, or set engine.type: auto"


def cel_local(run: str) -> str:
    """The CEL expression for a run that has no executors."""
    return f"!has({run}.engine) || {run}.engine.type == 'local'"


class EnginePolicy(ApiModel):
    """Where a run's work is done."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            *(
                cel(
                    f"self.type != 'local' || !has(self.{field})",
                    _engine_local(field),
                    field=f".{field}",
                    reason="FieldValueForbidden",
                )
                for field in EXECUTOR_FIELDS
            ),
            cel(
                "self.type == 'auto' || !has(self.local_below)",
                LOCAL_BELOW_NEEDS_AUTO,
                field=".local_below",
                reason="FieldValueForbidden",
            ),
        )
    )

    type: EngineType = Field(
        "local",
        description="local: the run's Pod does all of the work. spark: Apache Spark's executors, which the run's Pod "
        "makes, read the documents and assign them. auto: spark above local_below documents, and local otherwise. "
        "spark and auto require the chart's value spark.enabled and collections in Parquet files, and support action "
        f"cluster with mode full and algorithm {', '.join(SPARK_ALGORITHMS)}, or with mode assign, and action "
        "taxonomy_enrichment.",
    )
    executors: int | None = Field(
        None, ge=1, le=MOST_EXECUTORS, description=f"spark, auto: number of executors. Default {EXECUTORS}."
    )
    executor: ExecutorPolicy | None = Field(None, description="spark, auto: the Pods of the executors.")
    partition_rows: int | None = Field(
        None,
        ge=1_000,
        le=100_000_000,
        description="spark, auto: maximum number of documents per partition, which an executor reads and assigns at a "
        "time. A row group of a Parquet file is never divided, so a partition is larger where a row group is. Default "
        f"{PARTITION_ROWS}.",
    )
    local_below: int | None = Field(
        None,
        ge=0,
        le=2_000_000_000,
        description=f"auto: up to this number of documents, the run's Pod does all of the work. Default {LOCAL_BELOW}.",
    )

    @property
    def has_executors(self) -> bool:
        """Whether Spark's executors may do the work, so that the run's Pod is their driver."""
        return self.type != "local"

    @model_validator(mode="after")
    def _fields_fit_type(self) -> Self:
        for field in EXECUTOR_FIELDS:
            if not self.has_executors and getattr(self, field) is not None:
                raise ValueError(_engine_local(field))
        if self.type != "auto" and self.local_below is not None:
            raise ValueError(LOCAL_BELOW_NEEDS_AUTO)
        return self
