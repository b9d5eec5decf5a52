"""Story of a taxonomy: Debian packages get their sections, which are nodes in a tree of groups."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustertrigger.api import API_VERSION
from e2e.stories import data
from e2e.stories.conftest import CLAIMS, NAMESPACE, Stage
from e2e.stories.scene import Object, Scene
from e2e.stories.triggers import DAY, SMALL, enriching
from harness.claim_files import claim_files
from harness.cluster.errors import ClusterError
from harness.control_plane.manifests import trigger
from harness.image import Images

EMBEDDINGS, RESULTS = CLAIMS
PACKAGES = pq.read_table(data.EXAMPLE)
SECTIONS = pq.read_table(data.SECTIONS)
FIRST = 2_000
"""Number of packages at the beginning; the others are added later."""
GROUP_COLUMN = SECTIONS.schema.get_field_index("group")


def written(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def with_groups(groups: list[str | None]) -> bytes:
    return written(SECTIONS.set_column(GROUP_COLUMN, "group", pa.array(groups, pa.string())))


def nodes() -> dict[str, bytes]:
    """Return the files of the sections: a valid one, and one for each kind of invalid data."""
    groups = SECTIONS["group"].to_pylist()
    names = SECTIONS["section"].to_pylist()
    ring = {"languages": "perl"}
    lost = {"fonts": "typography"}
    short = pa.array(np.stack(SECTIONS["embedding"].to_pylist())[:, :100].tolist())
    return {
        "sections.parquet": written(SECTIONS),
        "sections-ring.parquet": with_groups(
            [ring.get(name, group) for name, group in zip(names, groups, strict=True)]
        ),
        "sections-lost.parquet": with_groups(
            [lost.get(name, group) for name, group in zip(names, groups, strict=True)]
        ),
        "sections-short.parquet": written(
            SECTIONS.set_column(SECTIONS.schema.get_field_index("embedding"), "embedding", short)
        ),
        "taxonomy-packages.parquet": written(PACKAGES[:FIRST]),
    }


def collection(name: str, file: str, **source: str) -> Object:
    spec = {"volume": EMBEDDINGS, "source": {"uri": file, **source}}
    return {"apiVersion": API_VERSION, "kind": "Collection", "metadata": {"name": name}, "spec": spec}


def taxonomy(name: str, nodes: str, **fields: Any) -> Object:
    spec = {"collection_id": nodes, "label_column": "label", "parent_column": "group", **fields}
    return {"apiVersion": API_VERSION, "kind": "Taxonomy", "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module", autouse=True)
def _nodes_and_packages(stage_set: Stage) -> Iterator[None]:
    scene = stage_set.scene
    files = nodes()
    with claim_files(scene.kubectl, stage_set.images.worker.name, [EMBEDDINGS]) as claims:
        claims.upload_new(EMBEDDINGS, files)
    sections = [name.removesuffix(".parquet") for name in files if name.startswith("sections")]
    scene.kubectl.apply(
        collection("taxonomy-packages", "taxonomy-packages.parquet", text_column="description"),
        *(collection(name, f"{name}.parquet", document_id_column="section") for name in sections),
        *(taxonomy(name, name, taxonomy_id=f"tax_{name.replace('-', '_')}") for name in sections),
    )
    yield
    triggers = [one["metadata"]["name"] for one in scene.kubectl.items("clustertriggers") if is_of_this_api(one)]
    scene.kubectl("delete", "clustertriggers", *triggers)
    scene.kubectl("delete", "taxonomies", "--all")


def is_of_this_api(trigger: Object) -> bool:
    action = trigger["spec"].get("action_type")
    return bool(action == "taxonomy_enrichment" or trigger["metadata"]["name"] == "labels-again")


def table_of(scene: Scene, images: Images, run: Object, into: Path) -> pa.Table:
    """Download the run's folder to `into`; return enrichment.parquet."""
    name = run["results_uri"].split("/")[-2]
    with claim_files(scene.kubectl, images.worker.name, [RESULTS]) as claims:
        claims.download(RESULTS, f"{NAMESPACE}/{name}/{run['job_id']}", into)
    return pq.read_table(into / "enrichment.parquet")


def expected() -> list[str]:
    """Return the section with the nearest vector for every package."""
    vectors, centres = (np.stack(table["embedding"].to_pylist()) for table in (PACKAGES, SECTIONS))
    names = SECTIONS["section"].to_pylist()
    return [names[node] for node in (vectors @ centres.T).argmax(axis=1)]


def test_packages_get_their_sections(scene: Scene, images: Images, tmp_path: Path) -> None:
    scene.kubectl.apply(enriching("labels", "tax_sections", incremental=True))
    run = scene.run_ended("labels")
    assert (run["status"], run.get("num_documents")) == ("completed", FIRST), run
    assert run["notes"] == ["all documents were searched: this trigger has no completed enrichment"]
    first = table_of(scene, images, run, tmp_path / "first")
    assert first["document_id"].to_pylist() == PACKAGES["document_id"].to_pylist()[:FIRST]
    assert first["node_id"].to_pylist() == expected()[:FIRST]
    paths = dict(zip(first["node_id"].to_pylist(), first["path"].to_pylist(), strict=True))
    assert (paths["rust"], paths["fonts"]) == ("Languages > Rust", "Desktop > Fonts")
    right = np.mean([a == b for a, b in zip(expected(), PACKAGES["section"].to_pylist(), strict=True)])
    assert right > 0.5, "the nearest section is mostly Debian's own"
    page = (tmp_path / "first/report.html").read_text()
    assert "2,000 of 2,000 documents have a node of tax_sections" in page
    assert "Ambiguous documents" in page

    # A thousand packages are added; only their nodes are searched.
    with claim_files(scene.kubectl, images.worker.name, [EMBEDDINGS]) as claims:
        claims.upload(EMBEDDINGS, {"taxonomy-packages.parquet": written(PACKAGES)})
    scene.request_run("labels", "more")
    run = scene.run_ended("labels", slot="manual/more")
    assert (run["status"], run.get("num_documents"), run.get("notes")) == ("completed", len(PACKAGES), None), run
    table = table_of(scene, images, run, tmp_path / "second")
    found = dict(zip(table["document_id"].to_pylist(), table["node_id"].to_pylist(), strict=True))
    assert [found[package] for package in PACKAGES["document_id"].to_pylist()] == expected()
    metrics = json.loads((tmp_path / "second/metrics.json").read_text())
    assert (metrics["num_taken_over"], metrics["num_searched"]) == (FIRST, len(PACKAGES) - FIRST)

    status = scene.status("labels")
    brief = status["last_result"]["enrichment"]
    assert (brief["num_assigned"], brief["num_taken_over"], brief["num_nodes"]) == (len(PACKAGES), FIRST, len(SECTIONS))
    assert "baseline_snapshot" not in status
    said = scene.plugin("results", "labels").stdout
    assert f"3,003 of 3,003 documents (100.0%) have a node of tax_sections, {FIRST:,} of them taken over" in said
    assert scene.plugin("report", "labels", "--save", str(tmp_path / "report.html")).returncode == 0
    assert "3,003 of 3,003 documents" in (tmp_path / "report.html").read_text()

    # The nodes change: the nodes of all documents are searched again, and a note says so.
    scene.kubectl("patch", "taxonomy", "sections", "--type=merge", '--patch={"spec": {"top_k": 2, "min_score": 0.4}}')
    scene.request_run("labels", "two-each")
    run = scene.run_ended("labels", slot="manual/two-each")
    assert run["status"] == "completed", run
    (note,) = run["notes"]
    assert note.startswith("all documents were searched: top_k was 1 in labels-")
    table = table_of(scene, images, run, tmp_path / "third")
    assert set(table["rank"].to_pylist()) == {0, 1, 2}
    assert (
        min(score for score, rank in zip(table["score"].to_pylist(), table["rank"].to_pylist(), strict=True) if rank)
        > 0.399
    )

    # A run with another action is a batch like any other.
    again = trigger(
        "labels-again",
        {
            "action_type": "batch_rerun",
            "action_config": {"batch_id": run["job_id"]},
            "trigger_type": "interval",
            "schedule_config": {"interval_seconds": DAY, "start_immediately": True},
            "run": {"retries": 0, "resources": SMALL},
        },
    )
    scene.kubectl.apply(again)
    rerun = scene.run_ended("labels-again")
    assert (rerun["status"], rerun["reruns"]) == ("completed", run["job_id"]), rerun
    assert table_of(scene, images, rerun, tmp_path / "again").equals(table)


@pytest.mark.parametrize(
    ("name", "taxonomy_id", "line"),
    [
        ("ring", "tax_sections_ring", "nodes form a cycle: 'languages' is a child of 'perl', which is a child of "
         "'languages': correct the parent of one of them"),
        ("lost", "tax_sections_lost", "node 'fonts' has the parent 'typography', which does not exist: add the parent, "
         "or correct the node's parent"),
        ("short", "tax_sections_short", "collection taxonomy-packages has 384 dimensions, and the nodes of taxonomy "
         "tax_sections_short (collection sections-short) have 100: embed both with one model"),
        ("unlabelled", "tax_unlabelled", "sections.parquet: no column name: it has section, label, group, embedding: "
         "set spec.label_column of Taxonomy tax_unlabelled to one of them"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_taxonomy_is_one_line(scene: Scene, name: str, taxonomy_id: str, line: str) -> None:
    if name == "unlabelled":
        scene.kubectl.apply(taxonomy(name, "sections", taxonomy_id=taxonomy_id, label_column="name"))
    scene.kubectl.apply(enriching(name, taxonomy_id))
    run = scene.run_ended(name)
    assert run["status"] == "failed"
    assert line in run["error"]
    assert scene.jobs(name)[0]["status"].get("failed") == 1, "it is not tried again"


def test_a_taxonomy_that_nobody_knows(scene: Scene) -> None:
    scene.kubectl.apply(enriching("unknown-taxonomy", "tax_none"))
    ready = scene.eventually(lambda: scene.condition("unknown-taxonomy", "Ready"), "Ready", "unknown-taxonomy")
    assert (ready["status"], ready["reason"]) == ("False", "TaxonomyNotFound")
    assert "no Taxonomy with spec.taxonomy_id or metadata.name 'tax_none' in this namespace" in ready["message"]
    assert scene.jobs("unknown-taxonomy") == []
    # The taxonomy is created, and the due slot fires.
    scene.kubectl.apply(taxonomy("comes-later", "sections", taxonomy_id="tax_none"))
    assert scene.run_ended("unknown-taxonomy")["status"] == "completed"
    header, row = scene.kubectl("get", "tax", "comes-later").splitlines()
    assert header.split() == ["NAME", "TAXONOMY", "ID", "COLLECTION", "PARENTS", "TOP", "K", "AGE"]
    assert row.split()[:5] == ["comes-later", "tax_none", "sections", "group", "1"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"action_config": {"taxonomy_id": "a"}}, "collection_id is required with taxonomy_enrichment: set it"),
        ({"action_config": {"taxonomy_id": "a", "collection_id": "b", "batch_size": 50}},
         "spec.action_config.batch_size"),
        ({"action_config": {"taxonomy_id": "a", "collection_id": "b", "target_collection_id": "c d"}},
         "spec.action_config.target_collection_id"),
        ({"action_config": {"taxonomy_id": "a", "collection_id": "b", "cluster_id": "c"}},
         "cluster_id is valid only with cluster: remove it"),
        ({"trigger_type": "conditional", "schedule_config": {
            "condition_type": "drift", "metric": "cosine_drift", "threshold": 0.3, "check_interval_seconds": 60,
        }}, "trigger_type conditional is valid only with action_type cluster"),
    ],
)  # fmt: skip
def test_what_is_no_enrichment_is_refused(scene: Scene, changes: Object, line: str) -> None:
    wrong = enriching("wrong", "tax_sections")
    with pytest.raises(ClusterError) as refusal:
        scene.kubectl.apply({**wrong, "spec": {**wrong["spec"], **changes}})
    assert line in str(refusal.value)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"label_column": None}, "label_column"),
        ({"top_k": 51}, "spec.top_k"),
        ({"min_score": 1.5}, "spec.min_score"),
        ({"parent_column": "label"}, "parent_column and label_column must be different columns: change one of them"),
    ],
)
def test_what_is_no_taxonomy_is_refused(scene: Scene, fields: Object, line: str) -> None:
    with pytest.raises(ClusterError) as refusal:
        scene.kubectl.apply(taxonomy("wrong", "sections", **fields))
    assert line in str(refusal.value)
