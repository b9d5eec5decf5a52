"""Reads and renews the operator's credentials for the API server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

logger = logging.getLogger(__name__)

_PAUSE = 1.0
"""Minimum number of seconds between two readings of the files, however many requests are rejected."""


async def load_configuration() -> Configuration:
    """Reads the service account in a Pod, and the kubeconfig that kubectl would use elsewhere.

    Raises:
        ConfigException: neither is there.
    """
    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except ConfigException:
        await load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    return configuration


class CredentialsError(Exception):
    """The credentials cannot be read."""


class Credentials:
    """The token of requests, if there is one.

    Args:
        configuration: The configuration of requests and of Kopf's login; it gets the renewed token too.
        reload: Reads everything again from its source; None if nothing changes while the process runs.
    """

    def __init__(
        self, configuration: Configuration, reload: Callable[[], Awaitable[Configuration]] | None = None
    ) -> None:
        self._configuration = configuration
        self._reload = reload
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")

    async def headers(self) -> dict[str, str]:
        """Returns the token for a request. A token that expires is read again regularly, by this machine's clock.

        Raises:
            CredentialsError: it could not be read, which may pass.
        """
        try:
            token = await self._configuration.get_api_key_with_prefix("BearerToken")
        except Exception as error:  # The source can be a file, a command, or anything else that a kubeconfig names.
            raise CredentialsError(f"the credentials cannot be read: {error}") from error
        return {"Authorization": token} if token else {}

    async def renew(self, refused: dict[str, str]) -> bool:
        """Reads the token again after a 401. Returns True if there are other credentials to try.

        Args:
            refused: The headers that the API server rejected.

        Raises:
            CredentialsError: the token could not be read.
        """
        if self._reload is None:
            return False
        async with self._reading:
            if await self.headers() == refused and time.monotonic() - self._read_at >= _PAUSE:
                self._read_at = time.monotonic()
                try:
                    found = await self._reload()
                except Exception as error:
                    logger.warning("The API server rejects the credentials, and reloading them failed: %s", error)
                    return False
                self._configuration.api_key = found.api_key
                self._configuration.refresh_api_key_hook = found.refresh_api_key_hook
        return await self.headers() != refused
