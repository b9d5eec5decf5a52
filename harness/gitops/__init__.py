"""What GitOps tools make of objects, by their own code: kstatus, and Lua as Argo CD runs it."""

from harness.gitops.judges import Verdict, judge, why_not

__all__ = ["Verdict", "judge", "why_not"]
