"""Validates keys and values of labels and annotations: those that Kubernetes accepts, and those that users may set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from clustertrigger.api.reserved_keys import CHART, LABEL_NAME, OF_THE_OPERATOR, What, reserved
from clustertrigger.core.resources.problem import Problem
from clustertrigger.core.text import cut

_CHARACTERS = "write up to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"
DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)
_LONGEST_SHOWN = 80
_MOST_ANNOTATIONS = 256 << 10
"""Maximum size of all annotations of an object in Kubernetes, in bytes of keys and values."""
_OF_OTHERS = 16 << 10
"""Bytes of annotations that are left for the operator, injectors and controllers."""


def wrong_label_key(key: str) -> str | None:
    """Returns what is wrong with the key of a label or an annotation, and the remedy."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not DOMAIN.fullmatch(prefix)):
        shown = f"prefix {_shown(prefix)} of key {_shown(key)}"
        return f"{shown} is not a domain name: write it in lower case, such as example.com"
    if not _NAME.fullmatch(name):
        return f"key {_shown(key)} is not valid: {_CHARACTERS}"
    return None


def wrong_label_value(value: str) -> str | None:
    """Returns what is wrong with a label's value, and the remedy."""
    if value and not _NAME.fullmatch(value):
        return f"is not a label's value: {_CHARACTERS}"
    return None


def problems_in_labels(labels: Mapping[str, str], field: str) -> Iterator[Problem]:
    """Returns what is wrong with the labels that a trigger sets on its Pods."""
    for key, value in labels.items():
        if (reason := wrong_label_key(key) or _not_yours(key, "label") or wrong_label_value(value)) is not None:
            yield Problem(f"{field}.{key}", value, reason)
        elif (key, value) == (LABEL_NAME, CHART):
            yield Problem(f"{field}.{key}", value, OF_THE_OPERATOR)


def problems_in_annotations(annotations: Mapping[str, str], field: str) -> Iterator[Problem]:
    """Returns what is wrong with the annotations that a trigger sets on its Pods."""
    for key, value in annotations.items():
        if (reason := wrong_label_key(key.lower()) or _not_yours(key, "annotation")) is not None:
            yield Problem(f"{field}.{key}", value, reason)
    size = sum(len(text.encode()) for pair in annotations.items() for text in pair)
    if size > _MOST_ANNOTATIONS - _OF_OTHERS:
        most = (_MOST_ANNOTATIONS - _OF_OTHERS) >> 10
        yield Problem(field, None, f"keys and values have {size >> 10} KiB, and may have {most} KiB: shorten them")


def _not_yours(key: str, what: What) -> str | None:
    """Returns why a key must not be set."""
    reason = reserved(key, what)
    return reason and f"is {'a label' if what == 'label' else 'an annotation'} {reason}"


def _shown(text: str) -> str:
    return repr(cut(text, _LONGEST_SHOWN))
