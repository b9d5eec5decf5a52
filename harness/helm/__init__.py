"""Helm, through one interface: the program if it is on PATH, or the same code in the wheel helm-python-sdk."""

from harness.helm.choose import find_helm
from harness.helm.library import HelmLibrary
from harness.helm.program import HelmProgram
from harness.helm.release import CHART, Helm, HelmError, Release, Values

__all__ = ["CHART", "Helm", "HelmError", "HelmLibrary", "HelmProgram", "Release", "Values", "find_helm"]
