"""Story of placement: the Pod of a completed run has the scheduling settings and the metadata of the trigger."""

from e2e.stories.scene import Scene

AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}
            ]
        },
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 50, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}
        ],
    },
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 100,
                "podAffinityTerm": {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {"app": "web"}},
                },
            }
        ]
    },
}


def test_a_run_has_what_its_trigger_says(scene: Scene) -> None:
    scene.apply_file("placement.yaml")
    run = scene.run_ended("placed")
    assert (run["status"], run["num_clusters"]) == ("completed", 6)
    (pod,) = scene.pods("placed")
    spec, metadata = pod["spec"], pod["metadata"]
    assert spec["affinity"] == AFFINITY
    assert spec["topologySpreadConstraints"] == [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "clustertrigger"}},
        }
    ]
    assert (spec["priorityClassName"], spec["priority"]) == ("stories-batch", 7)
    assert spec["runtimeClassName"] == "stories-runc"
    assert {"name": "registry"} in spec["imagePullSecrets"]
    assert metadata["labels"]["example.com/cost-centre"] == "search"
    assert metadata["labels"]["clustertrigger.dev/trigger"] == "placed"
    assert metadata["annotations"]["sidecar.istio.io/inject"] == "false"


def test_claims_of_collections_are_read_only_volumes(scene: Scene) -> None:
    scene.apply_file("placement.yaml")
    scene.run_ended("placed")
    (pod,) = scene.pods("placed")
    claims = [claim for volume in pod["spec"]["volumes"] if (claim := volume.get("persistentVolumeClaim"))]
    assert claims == [{"claimName": "clustertrigger-results"}, {"claimName": "embeddings", "readOnly": True}]


def test_a_priority_class_that_the_chart_does_not_allow(scene: Scene) -> None:
    scene.apply_file("placement.yaml")
    ready = scene.eventually(lambda: scene.condition("too-urgent", "Ready"), "too-urgent: Ready", "too-urgent")
    assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
    assert "'system-node-critical': is not allowed: write one of stories-batch;" in ready["message"]
    assert scene.jobs("too-urgent") == []
    scene.kubectl("delete", "clustertrigger", "placed", "too-urgent")
