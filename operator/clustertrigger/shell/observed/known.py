"""All observed objects, by which decisions are made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from clustertrigger.core.resources.catalog import Catalog
from clustertrigger.shell.observed.runs import Runs
from clustertrigger.shell.observed.triggers import Triggers


@dataclass(frozen=True, slots=True)
class Known:
    """All observed objects.

    Attributes:
        complete: Set while no object is missing, or outdated by a restore. Nothing is decided without it.
    """

    triggers: Triggers
    runs: Runs
    catalog: Catalog
    complete: asyncio.Event
