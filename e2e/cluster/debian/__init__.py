"""Clusters from Debian's packages, as plain processes, where there is no Docker engine."""

from e2e.cluster.debian.cluster import DebianCluster
from e2e.cluster.debian.only_control_plane import ControlPlane

__all__ = ["ControlPlane", "DebianCluster"]
