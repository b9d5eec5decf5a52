"""Kueue, which holds Jobs in queues: the real one, from its Go module, with its own chart."""

from e2e.kueue.build import Kueue, kueue
from e2e.kueue.installation import install, why_not

__all__ = ["Kueue", "install", "kueue", "why_not"]
