"""Story of processing: texts are embedded, clustered, and get nodes of a taxonomy; each step fires the next."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from clustertrigger.api import API_VERSION
from e2e.stories.conftest import CLAIMS, Stage
from e2e.stories.data import EXAMPLE
from e2e.stories.scene import Object, Scene
from e2e.stories.triggers import SMALL
from harness.claim_files import ClaimFiles, claim_files
from harness.cluster.files import REPOSITORY
from harness.control_plane.manifests import trigger
from harness.image.build import build_image

PROCESSING = REPOSITORY / "examples/processing"
EMBEDDINGS, _ = CLAIMS
COLLECTION = "col_packages_by_text"
DOCUMENTS = 120
THRESHOLD = 100
ADDED = {"event_type": "documents_added", "event_threshold": THRESHOLD, "collection_id": COLLECTION}


def packages() -> pa.Table:
    """Return rows of the example from all sections, with vectors of sentence-transformers."""
    table = pq.read_table(EXAMPLE, columns=["document_id", "section", "description", "embedding"])
    return table.take(list(range(0, table.num_rows, table.num_rows // DOCUMENTS))[:DOCUMENTS])


def topics(table: pa.Table) -> pa.Table:
    """Return a node for each section, with the mean of its documents' vectors."""
    sections = table["section"].to_pylist()
    vectors = np.array(table["embedding"].to_pylist(), np.float32)
    names = sorted(set(sections))
    means = [vectors[[section == name for section in sections]].mean(axis=0).tolist() for name in names]
    return pa.table({"document_id": names, "label": names, "embedding": pa.array(means, pa.list_(pa.float32()))})


def written(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def pipeline(image: str) -> list[Object]:
    """Return the example's objects, with the built image and small requests; each step follows the previous one."""
    template, *others = [
        document
        for name in ("pod-template.yaml", "pipeline.yaml")
        for document in yaml.safe_load_all((PROCESSING / name).read_text())
    ]
    template["template"]["spec"]["containers"][0]["image"] = image
    for found in others:
        if found["kind"] == "ClusterTrigger":
            found["spec"]["run"] = {"retries": 0, "resources": SMALL}
    labels = {
        "action_type": "taxonomy_enrichment",
        "action_config": {"taxonomy_id": "tax_topics", "collection_id": COLLECTION},
        "trigger_type": "event",
        "schedule_config": ADDED,
        "run": {"retries": 0, "resources": SMALL},
    }
    nodes = {"collection_id": "col_topics", "volume": EMBEDDINGS, "source": {"uri": "topics.parquet"}}
    tree = {"taxonomy_id": "tax_topics", "collection_id": "col_topics", "label_column": "label"}
    return [
        template,
        *others,
        {"apiVersion": API_VERSION, "kind": "Collection", "metadata": {"name": "topics"}, "spec": nodes},
        {"apiVersion": API_VERSION, "kind": "Taxonomy", "metadata": {"name": "topics"}, "spec": tree},
        trigger("label-what-was-embedded", labels),
    ]


def again(batch: str) -> Object:
    return {
        "action_type": "batch_rerun",
        "action_config": {"batch_id": batch, "retry_failed_only": True},
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 86_400, "start_immediately": True},
        "run": {"retries": 0, "resources": SMALL},
    }


def upload(claims: ClaimFiles, table: pa.Table) -> None:
    claims.upload(EMBEDDINGS, {"texts.parquet": written(table.drop_columns(["embedding"]))})


@pytest.fixture(scope="module")
def embedder(stage_set: Stage) -> str:
    """The name of the example's image, which is loaded into the cluster."""
    image = build_image("embedder", PROCESSING)
    stage_set.cluster.load(image)
    return image.name


def test_texts_become_vectors_clusters_and_nodes(stage_set: Stage, embedder: str, tmp_path: Path) -> None:
    scene, table = stage_set.scene, packages()
    scene.kubectl.apply(*pipeline(embedder))

    def embedded(token: str) -> dict[str, Any]:
        scene.request_run("embed", token)
        return scene.run_ended("embed", slot=f"manual/{token}")

    run = embedded("too-early")
    assert (run["status"], run["error"]) == (
        "failed",
        "/data/texts.parquet: no such file: set TEXTS in the PodTemplate",
    )

    with claim_files(scene.kubectl, stage_set.images.worker.name, [EMBEDDINGS]) as claims:
        claims.upload_new(EMBEDDINGS, {"topics.parquet": written(topics(table))})
        upload(claims, table)
        # The failed run is repeated with its original spec; its changes count as events of the collection.
        scene.kubectl.apply(trigger("embed-again", again(run["job_id"])))
        batch, run = run["job_id"], scene.run_ended("embed-again")
        assert (run["status"], run.get("error"), run["reruns"]) == ("completed", None, batch)
        assert (run["documents_added"], run["documents_updated"], run["documents_deleted"]) == (DOCUMENTS, 0, 0)

        clustered = scene.run_ended("cluster-what-was-embedded")
        assert (clustered["status"], clustered["num_clusters"]) == ("completed", 5)
        assert clustered["num_documents"] == DOCUMENTS
        labelled = scene.run_ended("label-what-was-embedded")
        assert (labelled["status"], labelled["num_documents"]) == ("completed", DOCUMENTS)
        for name in ("cluster-what-was-embedded", "label-what-was-embedded"):
            assert scene.status(name)["event_counter"] == DOCUMENTS - THRESHOLD

        changed = table.slice(2)
        texts = ["Something else altogether", *changed["description"].to_pylist()[1:]]
        upload(claims, changed.set_column(2, "description", pa.array(texts)))
        run = embedded("second")
        assert (run["documents_added"], run["documents_updated"], run["documents_deleted"]) == (0, 1, 2)
        claims.download(EMBEDDINGS, ".", tmp_path)
    vectors = pq.read_table(tmp_path / "vectors.parquet")
    assert vectors["document_id"].to_pylist() == changed["document_id"].to_pylist()
    ours, theirs = (np.array(one["embedding"].to_pylist()[1:]) for one in (vectors, changed))
    assert np.allclose(ours, theirs, atol=1e-5)


def test_templates_that_may_not_run(scene: Scene) -> None:
    source = {"volume": EMBEDDINGS, "source": {"uri": "x.parquet"}, "processing": {"pod_template": "secret-mission"}}
    collection = {"apiVersion": API_VERSION, "kind": "Collection", "metadata": {"name": "x"}, "spec": source}
    spec = {
        "action_type": "collection_trigger",
        "action_config": {"collection_id": "x"},
        "trigger_type": "interval",
        "schedule_config": {"interval_seconds": 86_400, "start_immediately": True},
    }
    scene.kubectl.apply(collection, trigger("not-yet", spec))

    def says(reason: str, line: str) -> bool:
        ready = scene.condition("not-yet", "Ready")
        return ready.get("reason") == reason and line in ready["message"]

    container = {"name": "a", "image": "a"}
    template: Object = {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"name": "secret-mission"},
        "template": {"spec": {"hostNetwork": True, "containers": [container]}},
    }
    scene.eventually(lambda: says("PodTemplateNotFound", "'secret-mission'"), "no such template", "not-yet")
    scene.kubectl.apply(template)
    scene.eventually(lambda: says("InvalidReference", "clustertrigger.dev/runnable"), "no label", "not-yet")
    template["metadata"]["labels"] = {"clustertrigger.dev/runnable": "true"}
    scene.kubectl.apply(template)
    scene.eventually(lambda: says("InvalidReference", "template.spec.hostNetwork"), "breaks the rules", "not-yet")
    assert scene.jobs("not-yet") == []
    scene.kubectl("delete", "clustertrigger", "not-yet")
