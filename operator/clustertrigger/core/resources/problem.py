"""Describes what is wrong with a resource, one line for each problem: field, value, problem and remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from clustercontract.variants import VariantError
from clustertrigger.api.notification import URI
from clustertrigger.core.humanize import read_duration
from clustertrigger.core.resources import unknown_field
from clustertrigger.core.resources.fields import joined, model_at
from clustertrigger.core.spelling import nearest
from clustertrigger.core.text import cut, one_line

_LONGEST_VALUE = 81
_LONGEST_FIELD = 400
"""Maximum length of a field's path in a message. Valid paths are shorter: the keys of a node selector end at 317
characters.
"""
_LONGEST_MESSAGE = 1_000
_LONGEST_LIST = 8_000
"""Maximum number of characters of all problems together. The message of a condition can have 32,768."""
_MOST_SECONDS = 10**10
"""Three centuries: a longer duration is a slip, and its digits would fill a message."""
_USER_INFO = re.compile(r"://[^/]*@")
"""Matches a user and a password in an address, which must not be shown."""
_MOST_DIGITS = 300
"""A double holds no number with more digits, and Python refuses to parse thousands of them."""
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"\d{1,3}(?:[ ,'_]\d{3})+", re.ASCII)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%", re.ASCII)
_MEMBER_TAGS = frozenset({"int", "str"})
"""Matches what pydantic adds to a path for the members of the union of these two, which only a quantity is."""
_REMEDIES = {
    r"^https?://": "must begin with http:// or https://: write the whole address",
    URI: "must be an address such as https://host/path, without a user, a fragment and blanks: rewrite it",
    r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$": (
        "must consist of letters, digits, '.', '_' and '-', and begin and end with a letter or digit: rename it"
    ),
    r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$": (
        "must consist of lower-case letters, digits, '.' and '-', and begin and end with a letter or digit: "
        "write the object's metadata.name"
    ),
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$": (
        "must consist of lower-case letters, digits and '-', and begin and end with a letter or digit: "
        "write a job_id of status.history"
    ),
    r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$": (
        "must consist of lower-case letters, digits and '-', and begin and end with a letter or digit: "
        "write the LocalQueue's metadata.name"
    ),
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        field: Path in the object, such as `spec.schedule_config.cron_expression`.
        value: What the user wrote; None if nothing.
        message: What is wrong, and the remedy.
    """

    field: str
    value: object | None
    message: str

    def __str__(self) -> str:
        shown = _shown(self.value)
        return one_line(f"{cut(self.field, _LONGEST_FIELD)}: {shown}{cut(self.message, _LONGEST_MESSAGE)}")


def problems_of(error: ValidationError, root: str, model: type[BaseModel], whole: Mapping[str, Any]) -> list[Problem]:
    """Returns pydantic's errors as problems, one for each field.

    Args:
        error: The errors.
        root: Path of the model's object.
        model: The model of the object.
        whole: The object as written.
    """
    problems = (problem_of(detail, root, model, whole) for detail in error.errors(include_url=False))
    return list({problem.field: problem for problem in problems}.values())


def all_of(problems: Sequence[Problem]) -> str:
    """Returns problems in one line. If there are too many, the line ends with the number of the remaining ones."""
    listed: list[str] = []
    length = 0
    for problem in problems:
        text = str(problem)
        length += len(text)
        if listed and length > _LONGEST_LIST:
            return f"{'; '.join(listed)}; and {len(problems) - len(listed)} more"
        listed.append(text)
    return "; ".join(listed)


def problem_of(
    detail: ErrorDetails, root: str, model: type[BaseModel] | None, whole: Mapping[str, Any] | None = None
) -> Problem:
    """Returns one of pydantic's errors as a problem.

    Args:
        detail: The error.
        root: Path of the model's object.
        model: The model of the object.
        whole: The object as written, if it is known.
    """
    path, value, kind = list(detail["loc"]), detail["input"], detail["type"]
    if kind == "value_error":
        return _by_rule(detail, root, path, model)
    if kind == "missing":
        return Problem(joined(root, path), None, "is required: set it")
    if kind in ("extra_forbidden", "invalid_key"):
        message = unknown_field.remedy(str(path[-1]), value, path[:-1], root, model, whole or {})
        return Problem(joined(root, path), None, message)
    if path and path[-1] in _MEMBER_TAGS:
        message = "is not a Kubernetes quantity: write a whole number, or a string such as '500m', '1.5' or '4Gi'"
        return Problem(joined(root, path[:-1]), value, message)
    if kind == "int_type" and isinstance(value, str) and not _is_digits(value) and str(path[-1]).endswith("_seconds"):
        return Problem(joined(root, path), value, _seconds(value, *_bounds(path, model)))
    if kind in ("model_type", "dict_type") and _is_required(path, model):
        return Problem(joined(root, path), value, "must be an object: write its fields below it")
    return Problem(joined(root, path), value, _message(detail))


def _is_required(path: Sequence[int | str], model: type[BaseModel] | None) -> bool:
    """Returns whether what is at a path cannot be removed."""
    if not path:
        return True
    holder = model_at(model, path[:-1])
    info = holder.model_fields.get(str(path[-1])) if holder else None
    return info is not None and info.is_required()


def _bounds(path: Sequence[int | str], model: type[BaseModel] | None) -> tuple[int, int]:
    """Returns the least and the greatest value of an integer field."""
    holder = model_at(model, path[:-1])
    info = holder.model_fields.get(str(path[-1])) if holder else None
    limits = info.metadata if info else []
    least = next((int(limit.ge) for limit in limits if hasattr(limit, "ge")), 1)
    return least, next((int(limit.le) for limit in limits if hasattr(limit, "le")), _MOST_SECONDS)


def _seconds(text: str, least: int, most: int) -> str:
    """Returns the remedy if a duration such as 1h30m or 1:30 is written instead of seconds."""
    seconds = read_duration(_ungrouped(text) + "s") if _GROUPED.fullmatch(text.strip()) else read_duration(text)
    if seconds is None or seconds >= _MOST_SECONDS:
        return "must be a whole number of seconds: write 5400 for an hour and a half, for example"
    if round(seconds) > most:
        return f"must be a whole number of seconds, and at most {most}: write a smaller number"
    return f"must be a whole number of seconds: write {max(least, round(seconds))}"


def _is_digits(text: str) -> bool:
    return text.strip().removeprefix("-").isdigit() or _NUMBER.fullmatch(text.strip()) is not None


def _by_rule(detail: ErrorDetails, root: str, path: list[int | str], model: type[BaseModel] | None) -> Problem:
    """Returns the problem of a rule about several fields.

    Its message begins with the name of the field to change, if there is one.
    """
    error = detail["ctx"]["error"]
    message = str(error)
    first = message.split(maxsplit=1)[0]
    at = model_at(model, path)
    parent = error.parent if isinstance(error, VariantError) else None
    for below in ([parent],) if parent else ([], ["schedule_config"], ["action_config"]):
        holder = model_at(at, list(below)) if at else None
        if holder is not None and first in holder.model_fields:
            return Problem(joined(root, [*path, *below, first]), _value_at(detail["input"], [*below, first]), message)
    return Problem(joined(root, path), None, message)


def _message(detail: ErrorDetails) -> str:
    kind, limits = detail["type"], detail.get("ctx", {})
    match kind:
        case "literal_error":
            expected, value = limits["expected"].replace("'", " ").split(), str(detail["input"])
            other = _OTHER_VALUES.get(value.casefold())
            guess = other if other in expected else nearest(value, expected)
            return f"must be {limits['expected']}: " + (f"did you mean {guess}?" if guess else "write one of these")
        case "greater_than_equal":
            return f"must be at least {limits['ge']:g}: write a larger number"
        case "greater_than":
            return f"must be greater than {limits['gt']:g}: write a larger number"
        case "less_than_equal":
            return f"must be at most {limits['le']}: write a smaller number"
        case "too_short" if limits["min_length"] > 1:
            return f"must have at least {limits['min_length']} items: add some"
        case "too_short":
            return "must not be empty: write at least one"
        case "string_too_short":
            return "must not be empty: write a value"
        case "string_too_long":
            return f"must have at most {limits['max_length']} characters: shorten it"
        case "too_long":
            return f"must have at most {limits['max_length']} items: remove some"
        case "string_pattern_mismatch":
            return _REMEDIES.get(limits["pattern"], f"must match {limits['pattern']}: rewrite it")
        case "string_type" | "int_type" | "float_type" | "bool_type" if remedy := _retyped(kind, detail["input"]):
            return remedy
        case _:
            return _WRONG_TYPES.get(kind, f"{detail['msg'][:1].lower()}{detail['msg'][1:]}: rewrite it")


def _retyped(kind: str, value: object) -> str | None:
    """Returns what to write instead of a value for which removing or adding quotes does not help; None for others."""
    if kind == "string_type":
        what = "a list" if isinstance(value, list) else "an object" if isinstance(value, Mapping) else None
        return f"must be a string, and not {what}: write one value" if what else None
    if kind == "bool_type":
        return None if isinstance(value, str) else "must be true or false: write one of these"
    number = "a whole number" if kind == "int_type" else "a number"
    if isinstance(value, bool | list | Mapping):
        return f"must be {number}: write a number"
    if isinstance(value, float) and kind == "int_type":
        return "is too large: write a smaller number" if value.is_integer() else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    digits = text.removeprefix("-")
    if digits.isdecimal() and len(digits) > _MOST_DIGITS:
        return "is too large: write a smaller number" if text == digits else "is too small: write a larger number"
    if digits.isdecimal() and digits != str(int(digits)):  # YAML reads 010 as 8, and digits of other scripts as text.
        return f"must be {number}: write {int(text)} without quotes"
    if _NUMBER.fullmatch(text) and isfinite(float(text)):
        return None
    if kind == "int_type":
        plain = _ungrouped(text)
        return f"must be a whole number: write {plain if plain.isdecimal() else 'its digits'}"
    share = _PERCENT.fullmatch(text)
    return f"must be a number: write {f'{float(share[1]) / 100:.12g}' if share else 'its digits'}"


def _ungrouped(text: str) -> str:
    """Returns a number without the separators of its thousands."""
    return re.sub(r"(?<=\d)[ ,'_](?=\d{3}\b)", "", text.strip())


_WRONG_TYPES = {
    "string_type": "must be a string: write it in quotes",
    "string_unicode": "is not valid Unicode: rewrite it",
    "int_type": "must be a whole number: write it without quotes and fraction",
    "int_parsing": "must be a whole number: write its digits",
    "int_parsing_size": "is too large: write a smaller number",
    "int_from_float": "must be a whole number: write it without a fraction",
    "float_type": "must be a number: write it without quotes",
    "bool_type": "must be true or false: write it without quotes",
    "recursion_depth_exceeded": "is nested too deeply: use fewer levels",
    "finite_number": "must be a finite number: write its digits",
    "list_type": "must be a list: write [...] or lines that begin with '- '",
    "dict_type": "must be an object: write its fields below it, or remove it",
    "model_type": "must be an object: write its fields below it, or remove it",
}


_OTHER_VALUES = {
    **dict.fromkeys(("=", "==", "===", "is"), "eq"),
    **dict.fromkeys(("!=", "<>"), "ne"),
    **dict.fromkeys((">=", "ge"), "gte"),
    **dict.fromkeys(("<=", "le"), "lte"),
    ">": "gt",
    "<": "lt",
    "not in": "nin",
    "gmm": "gaussian_mixture",
}
"""What other programs call a value, and what to write instead."""


def _value_at(value: object, path: Sequence[int | str]) -> object | None:
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, str(part), None)
    return value


def _shown(value: object | None) -> str:
    """Returns a scalar as the user wrote it, shortened if necessary; nothing for objects and lists."""
    if value is None or isinstance(value, (Mapping, list, BaseModel)):
        return ""
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=repr)
    return f"{cut(_USER_INFO.sub('://…@', text), _LONGEST_VALUE)}: "
