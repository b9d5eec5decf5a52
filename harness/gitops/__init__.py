"""Evaluates objects with the code of GitOps tools: kstatus, and Lua as in Argo CD."""

from harness.gitops.judges import Verdict, judge, why_not

__all__ = ["Verdict", "judge", "why_not"]
