"""Who the operator is to the API server, and how that is renewed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

logger = logging.getLogger(__name__)

_PAUSE = 1.0
"""Seconds between two readings of the files, however many requests are refused."""


async def load_configuration() -> Configuration:
    """In a Pod, the service account; elsewhere the kubeconfig that kubectl would use.

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
    """The credentials are unknown."""


class Credentials:
    """The token that requests carry, if any.

    Args:
        configuration: what requests and Kopf's login are made of; gets the renewed token too.
        reload: reads everything again from where it came; None where nothing changes while the process lasts.
    """

    def __init__(
        self, configuration: Configuration, reload: Callable[[], Awaitable[Configuration]] | None = None
    ) -> None:
        self._configuration = configuration
        self._reload = reload
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")

    async def headers(self) -> dict[str, str]:
        """Of a request. A token with a lifetime is read again from time to time, by this machine's clock.

        Raises:
            CredentialsError: it could not be read, which may pass.
        """
        try:
            token = await self._configuration.get_api_key_with_prefix("BearerToken")
        except Exception as error:  # of a file, of a command, of whatever the kubeconfig names
            raise CredentialsError(f"the credentials cannot be read: {error}") from error
        return {"Authorization": token} if token else {}

    async def renew(self, refused: dict[str, str]) -> bool:
        """Reads again after a 401, whatever the clock says; True where there is something else to try.

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
