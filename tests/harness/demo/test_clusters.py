"""The table of the largest clusters."""

from harness.demo.clusters import format_clusters


def test_each_cluster_is_named_once_and_long_texts_are_cut() -> None:
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
