"""Tests that a check's result fits into the termination message, whatever its content."""

from __future__ import annotations

from clustercontract.check import CheckResult
from clustercontract.container import RESULT_LIMIT


def test_a_long_error_fits_the_message() -> None:
    """It once lost its end, which says what to do."""
    error = f"data.parquet: column f holds {'ü' * RESULT_LIMIT}, which filters cannot compare: use exists"
    result = CheckResult(status="failed", error=error)
    assert len(result.to_message().encode()) <= RESULT_LIMIT
    found = CheckResult.model_validate_json(result.to_message()).error
    assert found is not None
    assert RESULT_LIMIT // 4 - 4 < len(found.encode()) <= RESULT_LIMIT // 4
    assert found.startswith("data.parquet: column f holds üü")
    assert found.endswith("ü, which filters cannot compare: use exists")
    assert found.count(" … ") == 1
