"""report.png: a map of the clusters, with a title and a legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clusterworker.arrays import NOISE, Labels, Rows, Vectors

COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#332288",
    "#999933",
    "#882255",
    "#F0E442",
)
"""Told apart with any colour vision: seven of Okabe and Ito 2008, three of Tol's muted scheme."""
OTHER, NOISE_COLOUR, INK = "#9A9A9A", "#D3D3D3", "#222222"
_DPI = 130
_NARROW = 0.02
"""A cluster less wide than this share of the map has its number beside it, so as not to be hidden."""


@dataclass(frozen=True)
class Picture:
    """What to draw.

    Attributes:
        title: first line.
        subtitle: second line, how to read the map.
        points: shape (rows, 2).
        labels: shape (rows,).
        names: per cluster.
        sizes: documents per cluster, of all documents and not of the sample.
        noise: documents in no cluster.
    """

    title: str
    subtitle: str
    points: Vectors
    labels: Labels
    names: Sequence[str]
    sizes: Rows
    noise: int

    def save(self, file: Path) -> None:
        """Write a PNG."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(12, 7.2), dpi=_DPI, facecolor="white")
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.02, 0.03, 0.64, 0.85))
        handles = self._draw(axes)
        axes.legend(
            handles=handles,
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
        figure.text(0.02, 0.905, self.subtitle, fontsize=10, color="#555555")
        figure.savefig(file, metadata={"Software": None})

    def _draw(self, axes: Any) -> list[Any]:
        from matplotlib.lines import Line2D

        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color("#DDDDDD")
        handles: list[Any] = []

        def series(mask: Any, colour: str, name: str, *, size: float) -> None:
            points = self.points[mask]
            axes.scatter(points[:, 0], points[:, 1], s=size, c=colour, linewidths=0, alpha=0.85)
            handles.append(Line2D([], [], marker="o", linestyle="", color=colour, markersize=8, label=name))

        shown = min(len(COLOURS), len(self.names))
        size = float(np.clip(45_000 / max(len(self.points), 1), 9, 60))
        if self.noise:
            series(self.labels == NOISE, NOISE_COLOUR, f"noise ({self.noise:,})", size=size * 0.6)
        if len(self.names) > shown:
            rest = int(self.sizes[shown:].sum())
            series(
                self.labels >= shown, OTHER, f"{len(self.names) - shown} smaller clusters ({rest:,})", size=size * 0.7
            )
        background = handles.copy()
        handles.clear()
        for cluster in range(shown):
            name = f"{cluster}  {self.names[cluster]} ({self.sizes[cluster]:,})"
            series(self.labels == cluster, COLOURS[cluster], name, size=size)
        for cluster in range(shown):
            self._number(axes, cluster)
        return handles + background[::-1]

    def _number(self, axes: Any, cluster: int) -> None:
        """Write the cluster's number where its documents are: colour is not the only key."""
        from matplotlib.patheffects import withStroke

        points = self.points[self.labels == cluster]
        if not len(points):
            return
        middle = np.median(points, axis=0)
        nearest = points[np.argmin(np.linalg.norm(points - middle, axis=1))]
        spread = float(np.median(np.abs(points - middle), axis=0).max())
        beside = spread < _NARROW * float(np.ptp(self.points, axis=0).max())
        axes.annotate(
            str(cluster),
            nearest,
            xytext=(11, 11) if beside else (0, 0),
            textcoords="offset points",
            fontsize=14,
            weight="bold",
            color=INK,
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=3.5, foreground="white")],
        )
