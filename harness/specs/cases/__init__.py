"""A table of specs for the tests of the models and those on a CRD server, whose errors must agree."""

from __future__ import annotations

from harness.specs.cases import (
    actions,
    algorithms,
    definitions,
    engines,
    modes,
    pods,
    runs,
    schedules,
    sources,
    taxonomies,
    triggers,
)

_SUBJECTS = (triggers, schedules, modes, actions, algorithms, runs, pods, engines, definitions, taxonomies, sources)

REFUSED = [case for subject in _SUBJECTS for case in subject.REFUSED]
ACCEPTED = [case for subject in _SUBJECTS for case in subject.ACCEPTED]
