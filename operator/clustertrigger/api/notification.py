"""Defines the receivers of CloudEvents about a trigger's runs and checks: what a user writes in `run.notify`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from clustercontract.base import ApiModel, each_once
from clustercontract.source import ObjectName

Occasion = Literal["completed", "failed", "changed", "drifted"]
_DAY = 86_400
URI = r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?][^#\s]*)?$"
"""A user and a fragment are not allowed: credentials do not belong in a spec, and a fragment is never sent. The host
must be ASCII, so that every parser finds the same one.
"""


class Receiver(ApiModel):
    """A receiver of CloudEvents over HTTP."""

    model_config = ConfigDict(title="Receiver")

    uri: str = Field(
        max_length=1024,
        pattern=URI,
        description="Address that the CloudEvents are posted to: https://, or http:// if the operator's settings "
        "allow it.",
    )
    events: Annotated[list[Occasion], AfterValidator(each_once)] = Field(
        default=["completed", "failed"],
        min_length=1,
        max_length=4,
        json_schema_extra={"x-kubernetes-list-type": "set"},
        description="When to send an event. completed: a run succeeded. failed: a run failed. changed: a completed run "
        "has clusters that the previous run did not have, or lacks some of its clusters. drifted: a check found that "
        "the condition is met.",
    )
    credentials: ObjectName | None = Field(
        None,
        description="Name of the credentials in the operator's settings (notify.credentials of the chart). They are a "
        "bearer token, a signing key, or both.",
    )
    retry_seconds: int = Field(
        _DAY, ge=1, le=7 * _DAY, description="How long the operator tries to deliver an event. Default one day."
    )


def each_uri_once(receivers: list[Receiver]) -> list[Receiver]:
    """Returns the receivers unchanged. The API server treats such a list as a map by uri.

    Raises:
        ValueError: Two receivers have the same uri.
    """
    each_once([receiver.uri for receiver in receivers])
    return receivers


Receivers = Annotated[
    list[Receiver],
    AfterValidator(each_uri_once),
    Field(
        max_length=8,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uri"]},
    ),
]
