"""Cases of spec.run: results, resources, retries and notifications."""

from __future__ import annotations

from harness.specs.case import Accepted, Refused
from harness.specs.valid import trigger

REFUSED = [
    *(
        Refused(f"results {uri}", trigger({"run.results.uri": uri}), "spec.run.results.uri", says)
        for uri, says in [
            (
                "gs://bucket/results",
                "must be a path on the volume or s3://bucket/prefix: other schemes are not supported",
            ),
            ("/results", "must be relative to the volume's root: remove the leading / and any .."),
            ("results/../../etc", "must be relative to the volume's root: remove the leading / and any .."),
            ("s3://", "uri does not name a bucket: write s3://bucket/key"),
            ("s3:///results", "uri does not name a bucket: write s3://bucket/key"),
        ]
    ),
    Refused(
        "results in S3 and on a volume",
        trigger({"run.results": {"uri": "s3://bucket/results", "volume": "results"}}),
        "spec.run.results.volume",
        "volume is valid only if uri is a path: remove volume, or the s3:// uri",
    ),
    Refused("no quantity", trigger({"run.resources.requests.cpu": "two"}), "spec.run.resources.requests.cpu", "two",
            rule=False),
    Refused("fraction without quotes", trigger({"run.resources.requests.cpu": 0.5}),
            "spec.run.resources.requests.cpu", "or a string such as", rule=False),
    Refused("negative quantity", trigger({"run.resources.limits.memory": -1}), "spec.run.resources.limits.memory", "-1",
            rule=False),
    Refused("no retries below zero", trigger({"run.retries": -1}), "spec.run.retries", "0", rule=False),
]  # fmt: skip

ACCEPTED = [
    Accepted("every field of run", trigger({"run": {
        "concurrency_policy": "Replace", "starting_deadline_seconds": 60, "timeout_seconds": 600,
        "pending_timeout_seconds": 30, "max_consecutive_failures": 1, "history_limit": 1, "retries": 0,
        "resources": {"requests": {"cpu": "500m", "memory": "1.5Gi"}, "limits": {"cpu": 2, "memory": "2e9"}},
        "service_account_name": "clustering", "node_selector": {"disk": "ssd", "spare": ""},
        "tolerations": [
            {"key": "gpu", "value": "a100", "effect": "NoSchedule"},
            {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
        ],
        "queue_name": "team-a", "results": {"uri": "results/here", "volume": "results"},
    }})),
    Accepted("results in S3", trigger({"run.results": {
        "uri": "s3://bucket/results", "secret_name": "writer", "endpoint": "http://minio:9000", "region": "x"}})),
    Accepted(
        "trigger with receivers",
        trigger(
            {
                "run.notify": [
                    {"uri": "https://hooks.example.com/clustering?a=b"},
                    {
                        "uri": "http://[fd00::1]:8080",
                        "events": ["completed", "failed", "changed", "drifted"],
                        "credentials": "hooks",
                        "retry_seconds": 3600,
                    },
                ]
            }
        ),
    ),
]  # fmt: skip
