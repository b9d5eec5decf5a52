"""Texts for one line, and for so many characters."""


def one_line(text: object) -> str:
    """Return a text, or what an error says, with all white space folded."""
    return " ".join(str(text).split())


def shortened(text: str, characters: int) -> str:
    """Return at most so many characters of a text; … at the end stands for the rest."""
    return text if len(text) <= characters else text[: max(characters - 1, 0)] + "…" * bool(characters)
