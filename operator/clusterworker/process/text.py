"""Shortens texts, and puts them on one line."""


def one_line(text: object) -> str:
    """Returns a text, or the message of an error, with all white space folded.

    Bytes of file names that are not UTF-8 are escaped, because neither JSON nor a log can contain them.
    """
    return " ".join(str(text).encode("utf-8", "backslashreplace").decode().split())


def shortened(text: str, characters: int) -> str:
    """Returns at most this number of characters of a text; … at the end replaces the rest."""
    return text if len(text) <= characters else text[: max(characters - 1, 0)] + "…" * bool(characters)
