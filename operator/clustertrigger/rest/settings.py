"""Settings of clustertrigger-api, from environment variables that the chart sets."""

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
    """Each field is the variable of its name in capitals, after CLUSTERTRIGGER_API_."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field("::", description="Address to listen on; :: for all.")
    port: int = Field(8082, ge=0, le=65535, description="Port to listen on; 0: any free port.")
    cert_dir: Path | None = Field(None, description="Holds tls.crt and tls.key; empty: HTTP.")
    server: str = Field("", description="URL of the API server; empty: the one of the Pod's cluster.")
    server_ca: Path = Field(_ACCOUNT / "ca.crt", description="Certificates that the API server's is checked against.")
    token_file: Path = Field(_ACCOUNT / "token", description="Our own token; used for watches and the cluster's id.")
    watch_namespaces: str = Field("", description="Names, separated by commas, whose triggers are watched; empty: all.")
    override_gitops: bool = Field(False, description="Whether PATCH and DELETE change what a GitOps tool applies.")
    requests_per_second: float = Field(50, ge=0, description="Of one token, in the long run; 0: any number.")
    burst: int = Field(100, ge=1, description="Requests of one token at once.")
    largest_body: int = Field(262_144, ge=1024, description="Bytes of a request's body.")
    sending_seconds: float = Field(10, gt=0, description="How long a request's head, and its body, may take to arrive.")
    answering_seconds: float = Field(30, gt=0, description="How long the API server may take to answer.")
    rights_seconds: float = Field(60, gt=0, le=60, description="How long the API server's word on a right counts.")
    connections: int = Field(1000, ge=1, description="Connections at the same time.")
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
        """Whose triggers are watched; empty: all."""
        return [name.strip() for name in self.watch_namespaces.split(",") if name.strip()]

    @property
    def api_server(self) -> str:
        """URL of the API server."""
        if self.server:
            return self.server.rstrip("/")
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings.

    Raises:
        SettingsError: a variable is unknown or malformed.
    """
    return read_environment(Settings, PREFIX, environment)
