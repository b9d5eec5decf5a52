from typing import Any

import pytest

from clustertrigger.core.kube.request import Request, deletion, merge_patch, metadata_only

JSON = "application/json"
PATCH = "application/merge-patch+json"


@pytest.mark.parametrize(
    ("request_", "method", "content", "headers"),
    [
        (Request("GET", "/version"), "GET", None, {"Content-Type": JSON, "Accept": JSON}),
        (Request("POST", "/a", {}), "POST", b"{}", {"Content-Type": JSON, "Accept": JSON}),
        (merge_patch("/a", {"b": None}), "PATCH", b'{"b":null}', {"Content-Type": PATCH, "Accept": JSON}),
        (
            deletion("/a", preconditions={"uid": "1"}),
            "DELETE",
            b'{"propagationPolicy":"Background","preconditions":{"uid":"1"}}',
            {"Content-Type": JSON, "Accept": JSON},
        ),
    ],
)
def test_what_is_sent(request_: Request, method: str, content: bytes | None, headers: dict[str, Any]) -> None:
    assert (request_.method, request_.content, request_.headers) == (method, content, headers)


def test_servers_without_metadata_of_objects_may_answer_with_whole_objects() -> None:
    accept = metadata_only("PartialObjectMetadata")
    assert accept == "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
