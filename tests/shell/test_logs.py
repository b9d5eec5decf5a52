"""Tests of log lines: JSON with namespace, trigger, slot and job, whatever attributes libraries add to a record."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from clustertrigger.shell.logs import log_context, set_up_logging


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_json_lines_contain_the_context_and_only_json(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", "INFO")

    async def generator() -> object:
        yield 1

    with log_context(namespace="search", trigger="products"):
        logging.getLogger("clustertrigger.x").info("Created the Job", extra={"slot": "s", "job": "j"})
        logging.getLogger("kopf").error("Handler failed", extra={"k8s_ref": generator(), "settings": object()})
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert {**ours, "time": ""} == {
        "time": "",
        "level": "INFO",
        "logger": "clustertrigger.x",
        "message": "Created the Job",
        "namespace": "search",
        "trigger": "products",
        "slot": "s",
        "job": "j",
    }
    assert (theirs["message"], theirs["trigger"]) == ("Handler failed", "products")


def test_readable_lines_name_the_trigger(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("text", "INFO")
    with log_context(namespace="search", trigger="products"):
        logging.getLogger("clustertrigger.x").warning("Retrying")
    assert capsys.readouterr().err.endswith("WARNING Retrying  namespace=search trigger=products\n")


def test_denied_admissions_are_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("text", "INFO")
    kopf = logging.getLogger("kopf.objects")
    kopf.error("Handler 'validate-clustertrigger' failed permanently: spec.x: is unknown")
    kopf.error("Handler 'validate-clustertrigger' failed with an exception and will stop now: x")
    assert [line.partition("failed ")[2] for line in capsys.readouterr().err.splitlines()] == [
        "with an exception and will stop now: x"
    ]
