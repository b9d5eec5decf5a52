"""Tests that a check's result fits into the termination message, whatever its content."""

from __future__ import annotations

from clustercontract.check import CheckResult
from clustercontract.container import RESULT_LIMIT


def test_a_long_error_fits_the_message() -> None:
    result = CheckResult(status="failed", error="ü" * RESULT_LIMIT)
    assert len(result.to_message().encode()) <= RESULT_LIMIT
    assert CheckResult.model_validate_json(result.to_message()).error == "ü" * (RESULT_LIMIT // 8)
