"""Reads settings from environment variables. An error message names the variable in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class SettingsError(Exception):
    """One line that names the variable, its value and the remedy."""


def read_settings(model: type[Model], prefix: str, environment: Mapping[str, str], *, all_of_them: str = "") -> Model:
    """Returns the settings.

    Args:
        model: The model of the settings. It reads each field from the variable with the field's name in capitals, after
            the prefix.
        prefix: Prefix of the variables.
        environment: the variables, as the model reads them.
        all_of_them: What the message names if the error does not concern a single variable.

    Raises:
        SettingsError: a variable is unknown or malformed.
    """
    known = {prefix + name.upper() for name in model.model_fields}
    unknown = sorted(name for name in environment if name.startswith(prefix) and name not in known)
    if unknown:
        raise SettingsError(f"{unknown[0]}: unknown setting: use one of {', '.join(sorted(known))}")
    try:
        return model()
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        name = prefix + str(first["loc"][0]).upper() if first["loc"] else all_of_them
        shown = f" is {environment[name]!r}" if name in environment else ""
        raise SettingsError(f"{name}{shown}: {message}" if name else message) from error
