"""Writes YAML that kubectl reads as it is meant.

PyYAML does not quote text such as y, 1e3 or 08, which go-yaml reads as a boolean or a number.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

try:
    from yaml import CSafeDumper as _SafeDumper
except ImportError:  # PyYAML was built without libyaml.
    from yaml import SafeDumper as _SafeDumper  # type: ignore[assignment]

_LIKE_A_NUMBER = re.compile(r"[yYnN]|[-+.\d][-+._\da-fA-FxXoO]*", re.ASCII)


class _Dumper(_SafeDumper):
    pass


def _represent(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "'" if _LIKE_A_NUMBER.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent)


def write_yaml(value: Any, width: int = 120) -> str:
    """Returns the YAML of a value of JSON's types, with the keys in their order."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width)
    return text
