"""Draws report.png: the map of the clusters, with a title and a legend."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from clusterworker.data.arrays import Vectors
from clusterworker.run.report.groups import Group, Number, numbers_of

INK = "#222222"
_DPI = 130
_WIDEST = 40
"""Maximum number of characters in a line of the legend."""
_SUBTITLE = 145
"""Maximum number of characters in each of the two lines of the subtitle."""


@dataclass(frozen=True)
class Picture:
    """The content of the picture.

    Attributes:
        title: First line.
        subtitle: Second line, how to read the map.
        points: Positions, shape (rows, 2).
        groups: Groups of these points, in the order of the legend; drawn in the opposite order.
    """

    title: str
    subtitle: str
    points: Vectors
    groups: Sequence[Group]

    def save(self, file: Path) -> None:
        """Writes a PNG."""
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        # A pair of $ in an id or a name is not a formula, and the page shows what the font lacks.
        with rc_context({"text.parse_math": False}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
            figure = Figure(figsize=(12, 7.2), dpi=_DPI, facecolor="white")
            FigureCanvasAgg(figure)
            self._fill(figure)
            figure.savefig(file, metadata={"Software": None})

    def _fill(self, figure: Any) -> None:
        axes = figure.add_axes((0.02, 0.03, 0.64, 0.85))
        self._draw(axes)
        axes.legend(
            handles=[_handle(group) for group in self.groups],
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            frameon=False,
            fontsize=10.5,
            title="Clusters by size (documents)",
            title_fontproperties={"weight": "bold", "size": 11},
            alignment="left",
            labelspacing=0.9,
            handletextpad=0.3,
        )
        figure.text(0.02, 0.945, self.title, fontsize=15, weight="bold", color=INK)
        figure.text(0.02, 0.93, fill(self.subtitle, _SUBTITLE), fontsize=10, color="#555555", va="top")

    def _draw(self, axes: Any) -> None:
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color("#DDDDDD")
        size = float(np.clip(45_000 / max(len(self.points), 1), 9, 60))
        for group in reversed(self.groups):
            own = self.points[group.rows]
            axes.scatter(own[:, 0], own[:, 1], s=size * group.scale, c=group.colour, linewidths=0, alpha=0.85)
        for number in numbers_of(self.points, self.groups):
            _write(axes, number)


def _write(axes: Any, number: Number) -> None:
    from matplotlib.patheffects import withStroke

    axes.annotate(
        number.text,
        (number.x, number.y),
        xytext=(11, 11) if number.beside else (0, 0),
        textcoords="offset points",
        fontsize=14,
        weight="bold",
        color=INK,
        ha="center",
        va="center",
        path_effects=[withStroke(linewidth=3.5, foreground="white")],
    )


def _handle(group: Group) -> Any:
    from matplotlib.lines import Line2D

    label = fill(f"{group.title} ({group.documents:,})", _WIDEST, subsequent_indent="    ", break_long_words=False)
    return Line2D([], [], marker="o", linestyle="", color=group.colour, markersize=8, label=label)
