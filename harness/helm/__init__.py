"""Helm, behind one interface: the program where it is on PATH, else the same code from the wheel helm-python-sdk."""

from harness.helm.choose import find_helm
from harness.helm.library import HelmLibrary
from harness.helm.program import HelmProgram
from harness.helm.release import CHART, Helm, HelmError, Release, Values

__all__ = ["CHART", "Helm", "HelmError", "HelmLibrary", "HelmProgram", "Release", "Values", "find_helm"]
