"""What the operator adds to every Job."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunDefaults:
    """What the operator adds to every run and check."""

    image: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    results_uri: str = ""
    results_volume: str = "clustertrigger-results"
