"""Obstacles that prevent a check from measuring, without being a failure of the check."""

from clustercontract.check import Obstacle


class ObstacleFound(Exception):  # noqa: N818 - it is a finding, not an error
    """There is nothing to measure; the message says why in one line, and what will happen or help.

    Args:
        obstacle: for programs.
        message: for people.
    """

    def __init__(self, obstacle: Obstacle, message: str) -> None:
        super().__init__(message)
        self.obstacle: Obstacle = obstacle
