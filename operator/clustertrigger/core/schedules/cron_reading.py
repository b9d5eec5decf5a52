"""How advice reads the expressions that it suggests: none of them is one that is refused afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clustertrigger.core.schedules.cron_expression import CronExpression

Reads = Callable[[str], CronExpression | None]
"""Returns the expression of five fields; None if they are not valid. It can be one that never fires."""

NEVER = "never fires, because no such day exists: change day of month or month"


def said(expression: str, reads: Reads) -> str:
    """Returns a valid expression, and whether it never fires."""
    return expression if comes(expression, reads) else f"{expression} {NEVER}"


def write(expression: str, reads: Reads, remark: str = "") -> str:
    """Returns the advice to write a valid expression, with a remark; or that it never fires."""
    return f"write {expression}{remark}" if comes(expression, reads) else f"{expression} {NEVER}"


def write_each(expressions: Sequence[str], reads: Reads) -> str:
    """Returns the advice to make a trigger for each of several valid expressions, or which of them never fires."""
    if (never := [expression for expression in expressions if not comes(expression, reads)]) != []:
        return f"{never[0]} {NEVER}"
    return f"make a trigger for each: {'; '.join(expressions)}"


def comes(expression: str, reads: Reads) -> bool:
    """Returns whether an expression is valid and a day exists on which it is due."""
    return (parsed := reads(expression)) is not None and parsed.comes
