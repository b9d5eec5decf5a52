"""Tests of the tables of clusters."""

from harness.demo.clusters import compare_clusters, format_clusters


def test_each_cluster_is_named_once_and_long_texts_are_shortened() -> None:
    metrics = {
        "clusters": [
            {
                "name": "audio, player",
                "num_documents": 117,
                "central_documents": [
                    {"document_id": "cmus", "text": "lightweight  audio\nplayer"},
                    {"document_id": 7, "text": "x" * 100},
                ],
            },
            {"name": "rust", "num_documents": 12, "central_documents": [{"document_id": "serde"}]},
            {"name": "left out", "num_documents": 1, "central_documents": []},
        ]
    }
    assert format_clusters(metrics, most=2).splitlines() == [
        "CLUSTER         SIZE  MOST CENTRAL  DESCRIPTION",
        "audio, player    117  cmus          lightweight audio player",
        "                      7             " + "x" * 59 + "…",
        "rust              12  serde",
    ]


def test_two_runs_are_compared_by_the_ids_of_their_clusters() -> None:
    before = {"clusters": [named(0, "gnome, desktop", 200), named(3, "audio", 90)]}
    after = {"clusters": [named(12, "golang, library", 1100), named(3, "audio, player", 84)]}
    assert compare_clusters(before, after).splitlines() == [
        "ID  BEFORE                  AFTER",
        " 0     200  gnome, desktop",
        " 3      90  audio              84  audio, player",
        "12                           1100  golang, library",
    ]


def named(cluster_id: int, name: str, documents: int) -> dict[str, object]:
    return {"cluster_id": cluster_id, "name": name, "num_documents": documents}
