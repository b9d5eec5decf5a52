"""Draws the map on the page: dots in SVG, and a text for each when the pointer is over it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clusterworker.data.arrays import Vectors
from clusterworker.run.report.groups import Group, numbers_of

WIDTH, HEIGHT = 1000, 640
_MARGIN = 18


@dataclass(frozen=True)
class Text:
    """A cluster's number, and its position."""

    text: str
    x: float
    y: float


@dataclass(frozen=True)
class Layer:
    """Dots of one colour.

    Attributes:
        group: The documents.
        radius: Radius of a dot.
        dots: x and y of each, in the order of `group.rows`.
    """

    group: Group
    radius: float
    dots: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Plot:
    """A map in units of its view box.

    Attributes:
        layers: Layers in the order of drawing: noise first, the largest cluster last.
        numbers: Numbers of the clusters that have a separate colour.
        order: Which point each dot is, in the order in which the layers draw them.
    """

    layers: Sequence[Layer]
    numbers: Sequence[Text]
    order: Sequence[int]
    width: int = WIDTH
    height: int = HEIGHT


def plot(points: Vectors, groups: Sequence[Group]) -> Plot:
    """Fits a map into the view box.

    Args:
        points: Positions, shape (rows, 2).
        groups: Groups of these points.
    """
    fitted = _fitted(points)
    radius = float(np.clip(140 / np.sqrt(max(len(points), 1)), 2.6, 6.5))
    layers = [
        Layer(group, round(radius * float(np.sqrt(group.scale)), 1), [_rounded(*fitted[row]) for row in group.rows])
        for group in reversed(groups)
    ]
    numbers = [
        Text(number.text, *_rounded(number.x + 14 * number.beside, number.y - 14 * number.beside))
        for number in numbers_of(fitted, groups)
    ]
    return Plot(layers, numbers, [int(row) for layer in layers for row in layer.group.rows])


def _fitted(points: Vectors) -> Vectors:
    """Stretches each axis over the whole box. y grows downwards in SVG, unlike in matplotlib."""
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    share = (points - low) / np.where(span > 0, span, 1)
    share = np.where(span > 0, share, 0.5)
    share[:, 1] = 1 - share[:, 1]
    fitted: Vectors = (_MARGIN + share * (np.array([WIDTH, HEIGHT]) - 2 * _MARGIN)).astype(np.float32)
    return fitted


def _rounded(x: float, y: float) -> tuple[float, float]:
    return round(float(x), 1), round(float(y), 1)
