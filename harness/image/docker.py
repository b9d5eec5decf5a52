"""Building with a Docker engine (BuildKit), which caches and skips stages itself."""

from pathlib import Path

from harness.cluster.commands import run
from harness.cluster.files import cache_directory
from harness.cluster.progress import stage
from harness.image.plan import Plan, make_plan


class Docker:
    """Builder for machines where a Docker engine answers."""

    def plan(self, checkout: Path, target: str) -> Plan:
        """Say what has to be built for the target."""
        return make_plan(checkout, target)

    def build(self, plan: Plan, context: Path, archive: Path) -> None:
        """Build the target from the files in CONTEXT and write it to ARCHIVE; the engine keeps the image as well."""
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
