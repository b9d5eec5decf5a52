"""Writes structured logs: JSON or text; with namespace, trigger, slot and job on every line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter

FIELDS = ("namespace", "trigger", "slot", "job")

_context: ContextVar[dict[str, str] | None] = ContextVar("log_context", default=None)


@contextmanager
def log_context(**fields: str) -> Iterator[None]:
    """Adds fields to every line that is logged within the context."""
    token = _context.set({**(_context.get() or {}), **fields})
    try:
        yield
    finally:
        _context.reset(token)


_KEPT_FIELDS = frozenset({*logging.makeLogRecord({}).__dict__, *FIELDS})


class _Context(logging.Filter):
    """Adds the fields of the context and drops those of libraries, because Kopf's fields are not valid JSON."""

    def filter(self, record: logging.LogRecord) -> bool:
        for field in record.__dict__.keys() - _KEPT_FIELDS:
            delattr(record, field)
        for field, value in (_context.get() or {}).items():
            if not hasattr(record, field):
                setattr(record, field, value)
        return True


class _Readable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = [f"{field}={getattr(record, field)}" for field in FIELDS if getattr(record, field, None)]
        line = super().format(record)
        return f"{line}  {' '.join(fields)}" if fields else line


def _is_no_denial(record: logging.LogRecord) -> bool:
    """Kopf logs each admission that a webhook denies as an error. Its user gets it. Anyone can send such objects."""
    return " failed permanently: " not in record.getMessage()


def set_up_logging(log_format: str, level: str) -> None:
    """Sets up the root logger.

    Args:
        log_format: json, text, or auto: text on a terminal and json elsewhere.
        level: Level of the operator's own lines; libraries log from WARNING on.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Context())
    text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    if text:
        handler.setFormatter(_Readable("%(asctime)s %(levelname)-7s %(message)s"))
    else:
        names = {"levelname": "level", "asctime": "time", "name": "logger"}
        handler.setFormatter(
            JsonFormatter(
                "%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=names, datefmt="%Y-%m-%dT%H:%M:%S%z"
            )
        )
    # No format shows these fields, and collecting them takes two fifths of a line's time: "Optimization" in Python's
    # logging HOWTO.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("clustertrigger").setLevel(level)
    # The library logs an election that another replica won as an error; lease.py reports real errors.
    logging.getLogger("kubernetes.aio.leaderelection").setLevel(logging.CRITICAL)
    logging.getLogger("kopf.objects").addFilter(_is_no_denial)
    # Kopf warns at each start that it handles no signals, which is intended.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
