"""Defines the settings of clustertrigger-api, from environment variables that the chart sets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from clustertrigger.core.environment import read_settings as read_environment

PREFIX = "CLUSTERTRIGGER_API_"
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Settings(BaseSettings):
    """Settings. Each field is read from the variable with its name in capitals, after CLUSTERTRIGGER_API_."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field("::", description="Address to listen on; :: for all interfaces.")
    port: int = Field(8082, ge=0, le=65535, description="Port to listen on; 0 selects a free port.")
    cert_dir: Path | None = Field(None, description="Directory with tls.crt and tls.key; HTTP if empty.")
    certificate_seconds: float = Field(
        60, gt=0, description="Interval at which the certificate is read again, in seconds."
    )
    server: str = Field("", description="URL of the API server; if empty, the API server of the Pod's cluster.")
    server_ca: Path = Field(
        _ACCOUNT / "ca.crt", description="CA certificates that verify the API server's certificate."
    )
    token_file: Path = Field(
        _ACCOUNT / "token", description="The API's own token, which it uses for watches and to read the cluster's ID."
    )
    watch_namespaces: str = Field(
        "", description="Comma-separated namespaces whose triggers are watched; all if empty."
    )
    worker_image: str = Field("", description="The worker's image, by which Pods read reports; empty if not known.")
    worker_pull_secrets: str = Field("", description="Comma-separated Secrets with which that image is pulled.")
    override_gitops: bool = Field(
        False, description="Whether PATCH and DELETE are allowed for triggers that a GitOps tool applies."
    )
    requests_per_second: float = Field(50, ge=0, description="Sustained rate of one token; 0 is unlimited.")
    burst: int = Field(100, ge=1, description="Maximum burst of requests of one token.")
    streams: int = Field(20, ge=1, description="Maximum number of pages of one token that receive changes.")
    largest_body: int = Field(262_144, ge=1024, description="Maximum number of bytes of a request's body.")
    sending_seconds: float = Field(
        10, gt=0, description="Maximum time until a request's header, and its body, have arrived."
    )
    answering_seconds: float = Field(30, gt=0, description="Maximum time until the API server responds.")
    rights_seconds: float = Field(
        60, gt=0, le=60, description="How long the API server's decision on a permission is cached."
    )
    connections: int = Field(1000, ge=1, description="Maximum number of concurrent connections.")
    log_format: Literal["json", "text"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("cert_dir", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _has_a_server(self) -> Self:
        if not self.server and "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise ValueError(f"{PREFIX}SERVER is required outside of a cluster: set it to the API server's URL")
        return self

    @property
    def namespaces(self) -> list[str]:
        """Returns the namespaces whose triggers are watched; empty for all."""
        return [name.strip() for name in self.watch_namespaces.split(",") if name.strip()]

    @property
    def pull_secrets(self) -> tuple[str, ...]:
        """Returns the Secrets that pull the worker's image."""
        return tuple(name.strip() for name in self.worker_pull_secrets.split(",") if name.strip())

    @property
    def api_server(self) -> str:
        """Returns the URL of the API server."""
        if self.server:
            return self.server.rstrip("/")
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Returns the settings.

    Raises:
        SettingsError: a variable is unknown or malformed.
    """
    return read_environment(Settings, PREFIX, environment)
