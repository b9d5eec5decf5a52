"""Obstacles that prevent a check from measuring, without being a failure of the check."""

from clustercontract.check import Obstacle


class ObstacleFound(Exception):  # noqa: N818 - it is a finding, not an error
    """A check cannot measure, which is not a failure. The message says why in one line, and what will happen or help.

    Args:
        obstacle: The reason for programs.
        message: The reason for people.
    """

    def __init__(self, obstacle: Obstacle, message: str) -> None:
        super().__init__(message)
        self.obstacle: Obstacle = obstacle
