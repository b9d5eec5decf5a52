"""Strategies that schemathesis lacks: valid cron expressions and time zones.

schemathesis loads this file by its path, in a separate process.
"""

from __future__ import annotations

import schemathesis
from hypothesis import strategies

CRON = ["0 2 * * *", "*/15 * * * *", "@daily", "30 6 * * mon-fri", "0 0 1 */3 *"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]

schemathesis.openapi.format("cron", strategies.sampled_from(CRON))
schemathesis.openapi.format("timezone", strategies.sampled_from(ZONES))
