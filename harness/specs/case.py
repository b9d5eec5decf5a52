"""A row of the table of specs."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.crd import CLUSTER_TRIGGER, Kind
from harness.specs.valid import Spec


@dataclass(frozen=True)
class Refused:
    """A spec that must be rejected, the field to blame, and a part of the message."""

    name: str
    spec: Spec
    field: str
    says: str
    kind: Kind = CLUSTER_TRIGGER
    python_field: str | None = None
    """Field in the error of the Python models, if it differs from the API server's."""
    rule: bool = True
    """Whether a rule of this project rejects it, so that the API server returns the same message."""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Accepted:
    """A spec that must be accepted."""

    name: str
    spec: Spec
    kind: Kind = CLUSTER_TRIGGER

    def __str__(self) -> str:
        return self.name
