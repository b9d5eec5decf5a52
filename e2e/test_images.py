"""Tests what the images contain, and what they must not contain."""

import pytest

from harness.image import Images, build_image, build_images
from harness.image.contents import Contents, read

WORKER_ONLY = {
    "numpy",
    "scipy",
    "sklearn",
    "pyarrow",
    "faiss",
    "fast_hdbscan",
    "umap",
    "numba",
    "llvmlite",
    "matplotlib",
}
OPERATOR_ONLY = {"kopf", "kubernetes", "aiohttp", "uvloop", "prometheus_client"}
NEVER = {"pip", "setuptools", "pytest", "mypy", "torch", "moto"}

pytestmark = pytest.mark.timeout(1800)  # the first test may have to build both images


@pytest.fixture(scope="module")
def images() -> Images:
    return build_images()


@pytest.fixture(scope="module")
def operator(images: Images) -> Contents:
    return read(images.operator.archive)


@pytest.fixture(scope="module")
def worker(images: Images) -> Contents:
    return read(images.worker.archive)


@pytest.fixture(scope="module")
def spark() -> Contents:
    return read(build_image("spark").archive)


def test_java_and_spark_are_in_one_image_only(operator: Contents, worker: Contents, spark: Contents) -> None:
    for contents in (operator, worker):
        assert not any(path.endswith(("/java", ".jar")) or "pyspark" in path for path in contents.files)
    assert spark.packages() >= WORKER_ONLY
    assert {"opt/java/bin/java", "var/lib/dpkg/status.d/openjdk-17-jre-headless"} <= spark.files
    jars = {path.rpartition("/")[2].partition("-4")[0] for path in spark.files if path.endswith(".jar")}
    assert {"spark-core_2.13", "spark-kubernetes_2.13", "spark-launcher_2.13"} <= jars
    assert not any(jar.startswith(("hive", "rocksdbjni", "spark-connect", "spark-yarn")) for jar in jars)
    assert "opt/spark/pyspark/__init__.py" in spark.files
    assert not any("/examples/" in path or "/tests/" in path for path in spark.files if path.startswith("opt/spark/"))


def test_each_image_has_its_own_libraries_only(operator: Contents, worker: Contents) -> None:
    assert operator.packages() >= OPERATOR_ONLY
    assert operator.packages() & (WORKER_ONLY | NEVER) == set()
    assert worker.packages() >= WORKER_ONLY
    assert worker.packages() & (OPERATOR_ONLY | NEVER) == set()


def test_the_worker_holds_the_contract_and_nothing_of_the_operator(worker: Contents) -> None:
    assert "opt/clustertrigger/clustercontract/run.py" in worker.files
    assert "opt/clustertrigger/clusterworker/__main__.py" in worker.files
    packages = {path.split("/")[2] for path in worker.files if path.startswith("opt/clustertrigger/")}
    assert packages == {"clustercontract", "clusterworker", "examples"}
    examples = {path.rpartition("/")[2] for path in worker.files if path.startswith("opt/clustertrigger/examples/")}
    assert examples - {""} == {"debian-packages.parquet", "debian-sections.parquet"}, (
        "the documents of the chart's demo"
    )


def test_the_operator_holds_nothing_of_the_worker(operator: Contents) -> None:
    assert "opt/clustertrigger/clustertrigger/main.py" in operator.files
    assert not any("clusterworker" in path for path in operator.files)


@pytest.mark.parametrize("target", ["operator", "worker", "spark"])
def test_user_entrypoint_and_labels(target: str, request: pytest.FixtureRequest) -> None:
    contents: Contents = request.getfixturevalue(target)
    modules = {"operator": "clustertrigger.main", "worker": "clusterworker", "spark": "clusterworker"}
    assert contents.config["User"] == "65532:65532"
    assert contents.config["Entrypoint"] == ["python", "-m", modules[target]]
    assert contents.config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert not any("OMP_" in variable for variable in contents.config["Env"])


def test_the_worker_brings_compiled_code(worker: Contents) -> None:
    compiled = [path for path in worker.files if path.startswith("opt/numba-cache/") and path.endswith(".nbc")]
    libraries = {path.split("/")[2].partition("_")[0] for path in compiled}
    assert {"evoc", "umap", "pynndescent", "fast"} <= libraries
    assert len(compiled) > 100


@pytest.mark.parametrize("target", ["operator", "worker", "spark"])
def test_no_shell_and_no_package_manager(target: str, request: pytest.FixtureRequest) -> None:
    contents: Contents = request.getfixturevalue(target)
    programs = {path.rpartition("/")[2] for path in contents.files if path.split("/")[-2:-1] in (["bin"], ["sbin"])}
    assert "python" in programs
    assert (
        programs & {"sh", "bash", "dash", "ash", "zsh", "busybox", "apt", "apt-get", "dpkg", "apk", "pip", "pip3"}
        == set()
    )
    assert "perl" not in programs
    assert contents.privileged == frozenset()
    assert "var/lib/dpkg/status" in contents.files


def test_python_needs_to_write_no_byte_code(operator: Contents, worker: Contents, spark: Contents) -> None:
    for contents in (operator, worker, spark):
        sources = [path for path in contents.files if path.startswith("opt/") and path.endswith(".py")]
        lacking = [path for path in sources if not _byte_code(path) & contents.files]
        assert lacking == []


def test_the_archive_names_the_content(images: Images, worker: Contents) -> None:
    assert any(name.endswith(images.worker.name) for name in worker.names)
    assert build_image("worker") == images.worker


def _byte_code(path: str) -> set[str]:
    directory, _, name = path.rpartition("/")
    stem = name.removesuffix(".py")
    return {f"{directory}/__pycache__/{stem}.cpython-3{minor}.pyc" for minor in range(11, 20)}
