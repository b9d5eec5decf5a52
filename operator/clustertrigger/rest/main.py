"""clustertrigger-api: reads its settings, and serves until it receives a signal."""

from __future__ import annotations

import logging
import signal
import ssl
import sys

from pythonjsonlogger.json import JsonFormatter

from clustertrigger.core.environment import SettingsError
from clustertrigger.core.json_text import read_deep_objects
from clustertrigger.net.heap import return_freed_memory
from clustertrigger.rest.app import create_app
from clustertrigger.rest.serving import Server, listeners
from clustertrigger.rest.settings import Settings, read_settings

logger = logging.getLogger(__name__)


def main() -> None:
    """Serves. Exit code 2 if the settings are wrong."""
    try:
        settings = read_settings()
    except SettingsError as error:
        sys.exit(f"clustertrigger-api: {error}")
    _set_up_logging(settings)
    read_deep_objects()
    return_freed_memory()
    # uvicorn stops cleanly, and then raises the signal again.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        server = Server(create_app(settings), settings)
    except (OSError, ssl.SSLError) as error:
        sys.exit(f"clustertrigger-api: the certificate in {settings.cert_dir} cannot be used: {error}")
    try:
        taken = listeners(settings)
    except OSError as error:
        sys.exit(f"clustertrigger-api: cannot listen on {settings.host} port {settings.port}: {error}")
    port, scheme = taken[0].getsockname()[1], "HTTPS" if settings.cert_dir else "HTTP"
    logger.info("Serving requests on port %d, over %s", port, scheme)
    server.run(sockets=taken)


def _set_up_logging(settings: Settings) -> None:
    handler = logging.StreamHandler(sys.stderr)
    names = {"asctime": "time", "levelname": "level"}
    handler.setFormatter(
        JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=names)
        if settings.log_format == "json"
        else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    logging.getLogger("uvicorn").propagate = True


if __name__ == "__main__":
    main()
