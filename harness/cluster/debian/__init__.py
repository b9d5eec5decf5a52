"""Clusters from Debian's packages, as plain processes, for machines without a Docker engine."""

from harness.cluster.debian.cluster import DebianCluster
from harness.cluster.debian.only_control_plane import ControlPlane

__all__ = ["ControlPlane", "DebianCluster"]
