"""Tests that tasks are carried out, that lost tasks are repeated, and which error is reported."""

from __future__ import annotations

import io
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.process.progress import Progress
from clusterworker.spark.executors import Executors, waits_for

pytestmark = pytest.mark.xdist_group("spark")


def leave(directory: Path, number: int) -> None:
    (directory / str(number)).write_text(f"{number * number}")


def leave_or_die_once(directory: Path, number: int) -> None:
    died = directory / "died"
    if number == 2 and not died.exists():
        died.touch()
        os._exit(9)
    leave(directory, number)


def refuse(number: int) -> None:
    if number >= 1:
        raise MisconfiguredError(f"row {number} is null:\nleave it out")


def fail(_number: int) -> None:
    raise UnavailableError("s3://vectors: S3 did not answer as expected: timeout")


def crash(_number: int) -> None:
    raise ZeroDivisionError("division by zero")


def carry_out(spark: Executors, task: Any, numbers: list[int]) -> None:
    spark.carry_out(task, numbers, Progress(io.StringIO()))


def test_every_number_is_carried_out(spark: Executors, tmp_path: Path) -> None:
    carry_out(spark, partial(leave, tmp_path), [0, 3, 5, 11])
    assert {int(file.name): int(file.read_text()) for file in tmp_path.iterdir()} == {0: 0, 3: 9, 5: 25, 11: 121}


def test_nothing_to_do_is_done(spark: Executors) -> None:
    carry_out(spark, crash, [])


def test_a_task_whose_process_died_is_repeated(spark: Executors, tmp_path: Path) -> None:
    carry_out(spark, partial(leave_or_die_once, tmp_path), [1, 2, 3])
    assert {file.name for file in tmp_path.iterdir()} == {"1", "2", "3", "died"}


def test_bad_data_is_refused_in_the_words_of_the_lowest_number(spark: Executors) -> None:
    with pytest.raises(MisconfiguredError, match=r"^row 1 is null: leave it out$"):
        carry_out(spark, refuse, [3, 2, 1, 0])


def test_what_does_not_answer_is_named_after_several_attempts(spark: Executors) -> None:
    with pytest.raises(UnavailableError, match=r"^s3://vectors: S3 did not answer as expected: timeout$"):
        carry_out(spark, fail, [0])


def test_an_error_of_the_program_is_named(spark: Executors) -> None:
    with pytest.raises(UnavailableError, match=r"^a task failed in Spark: ZeroDivisionError: division by zero$"):
        carry_out(spark, crash, [0])


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({}, ""),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        ({"containerStatuses": [{"state": {"running": {}}}]}, ""),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no such\nimage"}}}]},
            "Pod run-exec-1: ErrImagePull: no such image",
        ),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
            "Pod run-exec-1: ImagePullBackOff",
        ),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1"}]},
            "Pod run-exec-1: Unschedulable: 0/1",
        ),
        ({"conditions": [{"type": "PodScheduled", "status": "True"}]}, ""),
    ],
)
def test_what_a_pod_waits_for(status: dict[str, Any], reason: str) -> None:
    assert waits_for({"metadata": {"name": "run-exec-1"}, "status": status}) == reason
