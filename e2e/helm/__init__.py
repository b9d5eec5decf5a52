"""Helm, behind one interface: the program where it is on PATH, else the same code from the wheel helm-python-sdk."""

from e2e.helm.choose import find_helm
from e2e.helm.library import HelmLibrary
from e2e.helm.program import HelmProgram
from e2e.helm.release import CHART, Helm, HelmError, Release, Values

__all__ = ["CHART", "Helm", "HelmError", "HelmLibrary", "HelmProgram", "Release", "Values", "find_helm"]
