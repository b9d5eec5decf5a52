"""Kueue, which keeps Jobs in queues: the real program, from its Go module, with its own chart."""

from harness.kueue.build import Kueue, kueue
from harness.kueue.installation import install, why_not

__all__ = ["Kueue", "install", "kueue", "why_not"]
