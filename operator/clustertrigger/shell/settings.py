"""Defines the operator's settings, from environment variables that the chart sets."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from clustertrigger.core.actions.work import Image
from clustertrigger.core.environment import read_settings as read_environment
from clustertrigger.core.notifications.addresses import Allowed
from clustertrigger.core.notifications.permissions import Credentials, Permissions
from clustertrigger.core.resources.permitted import Permitted

PREFIX = "CLUSTERTRIGGER_"

Names = Annotated[tuple[str, ...], NoDecode]
"""Names in one variable, separated by commas."""


class NotifyCredentials(BaseModel):
    """Credentials for notifications, without their contents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
    namespaces: tuple[str, ...] = Field(min_length=1)
    hosts: tuple[str, ...] = Field(min_length=1)


class Settings(BaseSettings):
    """Settings. Each field is read from the variable with its name in capitals, after CLUSTERTRIGGER_."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    worker_image: str = Field(min_length=1, description="Image of the worker.")
    worker_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    worker_image_pull_secrets: Names = ()
    worker_priority_classes: Names = Field((), description="PriorityClasses that triggers can use; none if empty.")
    spark_image: str = Field("", description="Image of runs with engine spark or auto; if empty, there are none.")
    spark_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    spark_image_pull_secrets: Names = ()
    results_uri: str = Field("", description="Default location of results: a path on the claim, or s3://bucket/prefix.")
    results_volume: str = Field(
        "clustertrigger-results",
        description="PersistentVolumeClaim for results, in each trigger's namespace.",
    )
    watch_namespaces: Names = Field((), description="Namespaces to serve; all if empty.")
    leader_election: bool = True
    lease_name: str = "clustertrigger"
    lease_namespace: str = "default"
    lease_duration_seconds: int = Field(15, ge=2)
    lease_renew_seconds: int = Field(10, ge=1)
    lease_retry_seconds: int = Field(2, ge=1)
    identity: str = Field(default_factory=socket.gethostname, description="Identity of the Lease's holder.")
    http_port: int = Field(
        8080, ge=0, le=65535, description="Port for /livez, /readyz and /metrics; 0 selects a free port."
    )
    events_port: int = Field(0, ge=0, le=65535, description="Port for CloudEvents; 0 disables it.")
    events_cert_dir: Path | None = Field(
        None, description="Directory with tls.crt and tls.key for events_port; HTTP if empty."
    )
    events_trusted_proxies: Names = Field(
        (),
        description="Networks of trusted proxies, such as 10.0.0.0/8. Their X-Forwarded-For header identifies "
        "the sender of events.",
    )
    notify_enabled: bool = Field(True, description="Whether triggers can notify receivers (run.notify).")
    notify_allow_http: bool = Field(False, description="Whether receivers can be reached by http://.")
    notify_allowed_networks: Names = Field(
        (), description="Networks that notifications can reach although they are not public, such as 10.20.0.0/16."
    )
    notify_allowed_hosts: Names = Field((), description="Hosts that notifications can reach at private addresses.")
    notify_credentials: Annotated[tuple[NotifyCredentials, ...], NoDecode] = Field(
        (), description="JSON: names of credentials, the namespaces that can use them, and the hosts they are sent to."
    )
    notify_credentials_dir: Path = Field(
        Path("/etc/clustertrigger/notify"), description="Directory with a directory for each of the credentials."
    )
    notify_ca_file: Path | None = Field(
        None, description="PEM file with CA certificates for receivers, in addition to the image's own."
    )
    log_format: Literal["auto", "json", "text"] = "auto"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    concurrency: int = Field(
        32,
        ge=1,
        le=1000,
        description="Maximum number of concurrent reconciliations, without those that have taken longer than a second.",
    )
    webhook_port: int = Field(0, ge=0, le=65535, description="Serves the admission webhook; 0: off.")
    webhook_cert_dir: Path = Field(Path("/tls"), description="Directory with tls.crt and tls.key.")

    @field_validator("events_cert_dir", "notify_ca_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator(
        "worker_image_pull_secrets",
        "worker_priority_classes",
        "spark_image_pull_secrets",
        "watch_namespaces",
        "events_trusted_proxies",
        "notify_allowed_networks",
        "notify_allowed_hosts",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @field_validator("events_trusted_proxies", "notify_allowed_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"{error}: write networks as 10.0.0.0/8,fd00::/8") from None
        return value

    @field_validator("notify_credentials", mode="before")
    @classmethod
    def _read_credentials(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value or "[]")
        except ValueError as error:
            raise ValueError(
                f'{error}: write JSON such as [{{"name": "ci", "namespaces": ["search"], "hosts": ["ci.example.com"]}}]'
            ) from None

    @field_validator("notify_ca_file")
    @classmethod
    def _holds_authorities(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                ssl.create_default_context(cafile=value)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(f"{error}: mount a file with PEM certificates there, or leave it empty") from None
        return value

    @field_validator("events_cert_dir")
    @classmethod
    def _holds_a_certificate(cls, value: Path | None) -> Path | None:
        for name in ("tls.crt", "tls.key"):
            if value is not None and not (value / name).is_file():
                raise ValueError(
                    f"there is no {name}: mount a Secret of type kubernetes.io/tls there, or leave it empty"
                )
        return value

    @property
    def permitted(self) -> Permitted:
        """Returns what triggers may use."""
        return Permitted(self.worker_priority_classes, spark=bool(self.spark_image))

    @property
    def spark(self) -> Image | None:
        """Returns the image of runs with engine spark or auto, if there are any."""
        if not self.spark_image:
            return None
        return Image(self.spark_image, self.spark_image_pull_policy, self.spark_image_pull_secrets)

    @property
    def notifications(self) -> Permissions:
        """Returns which notifications may be sent, and where to."""
        return Permissions(
            enabled=self.notify_enabled,
            plain_http=self.notify_allow_http,
            allowed=Allowed(
                tuple(ip_network(network) for network in self.notify_allowed_networks),
                frozenset(host.lower() for host in self.notify_allowed_hosts),
            ),
            credentials={
                each.name: Credentials(each.namespaces, tuple(host.lower() for host in each.hosts))
                for each in self.notify_credentials
            },
        )

    @model_validator(mode="after")
    def _lease_times_fit(self) -> Self:
        if not self.lease_duration_seconds > self.lease_renew_seconds > 1.2 * self.lease_retry_seconds:
            raise ValueError(
                "lease_duration_seconds must exceed lease_renew_seconds, which must exceed 1.2 x lease_retry_seconds: "
                "15, 10 and 2 are usual"
            )
        return self


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Returns the settings.

    Raises:
        SettingsError: a variable is unknown or malformed.
    """
    return read_environment(Settings, PREFIX, environment, all_of_them="settings")
