"""Builds images with a Docker engine (BuildKit), which caches stages and skips those that are not needed."""

from pathlib import Path

from harness.cluster.commands import run
from harness.cluster.files import cache_directory
from harness.cluster.progress import stage
from harness.image.plan import Plan, make_plan


class Docker:
    """Builder for machines on which a Docker engine responds."""

    def plan(self, checkout: Path, target: str) -> Plan:
        """Return the plan for the target."""
        return make_plan(checkout, target)

    def build(self, plan: Plan, context: Path, archive: Path) -> None:
        """Build the target from the files in CONTEXT, and write it to ARCHIVE; the engine also keeps the image."""
        log = cache_directory() / "logs" / f"image-{plan.target}.log"
        log.parent.mkdir(exist_ok=True)
        log.unlink(missing_ok=True)
        with stage(f"building {plan.name}"):
            run(
                [
                    "docker", "build", "--progress=plain", "--target", plan.target, "--tag", plan.name,
                    "--tag", plan.development_name, context,
                ],
                env={"DOCKER_BUILDKIT": "1"},
                log=log,
            )  # fmt: skip
            run(["docker", "save", "--output", archive, plan.name, plan.development_name])
