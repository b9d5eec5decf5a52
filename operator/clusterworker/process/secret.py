"""Reads credentials from the files of a mounted Secret, and removes them from messages."""

from dataclasses import dataclass, field
from pathlib import Path

from clusterworker.process.errors import MisconfiguredError
from clusterworker.process.text import one_line


@dataclass
class SecretFiles:
    """One mounted Secret. It records the values that it returned, so that they can be removed from messages.

    Attributes:
        name: Name of the Secret; None if there is no Secret.
        root: Directory with one directory per mounted Secret.
    """

    name: str | None
    root: Path
    _given: set[str] = field(default_factory=set, repr=False)

    def __getstate__(self) -> dict[str, object]:
        """Drops the values, because another process reads the mounted files itself. No value is pickled."""
        return {**self.__dict__, "_given": set()}

    def value(self, key: str, *, required: bool = True, private: bool = True) -> str | None:
        """Returns the value of a key; None if the key is missing.

        Args:
            key: Key of the Secret.
            required: Whether it must exist.
            private: Whether `without` removes it from messages; a user's name is not private.

        Raises:
            MisconfiguredError: it cannot be read, or is required and not there.
        """
        try:
            value = (self.root / self.name / key).read_text().strip() if self.name else ""
        except FileNotFoundError:
            value = ""
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise MisconfiguredError(f"Secret {self.name}: cannot read its key {key}: {reason}") from None
        if required and not value:
            raise self._missing(key)
        if value and private:
            self._given.add(value)
        return value or None

    def file(self, key: str, *, required: bool = True) -> Path | None:
        """Returns the file of a key; None if it is missing.

        Raises:
            MisconfiguredError: it is required and not there.
        """
        file = None if self.name is None else self.root / self.name / key
        if file is not None and file.is_file():
            return file
        if required:
            raise self._missing(key)
        return None

    def without(self, text: str) -> str:
        """Returns a text in one line, with every returned credential replaced by ***."""
        for value in sorted(self._given, key=len, reverse=True):
            text = text.replace(value, "***")
        return one_line(text)

    def _missing(self, key: str) -> MisconfiguredError:
        return MisconfiguredError(f"Secret {self.name} has no key {key}: add it")
