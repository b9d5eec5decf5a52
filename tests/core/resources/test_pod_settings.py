"""What Kubernetes would refuse in a run's Pod is refused when the trigger is applied."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from clustertrigger.core.resources.pod_settings import quantity
from clustertrigger.core.resources.validation import parse_trigger

CRON = {"trigger_type": "cron", "schedule_config": {"cron_expression": "0 2 * * *"}, "cluster_id": "cluster_a"}


def problems_of(**run: Any) -> list[str]:
    return [str(problem).removeprefix("spec.run.") for problem in parse_trigger({**CRON, "run": run})[1]]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        (2, 2), ("2", 2), ("500m", Decimal("0.5")), ("1.5", Decimal("1.5")), (".5", Decimal("0.5")), ("5.", 5),
        ("2Ki", 2048), ("2Gi", 2**31), ("1Ei", 2**60), ("2k", 2000), ("3M", 3_000_000), ("1E", 10**18), ("1e3", 1000),
        ("1E3", 1000), ("12e-1", Decimal("1.2")), ("100u", Decimal("0.0001")), ("1n", Decimal("1e-9")), ("-1", -1),
    ],
)  # fmt: skip
def test_quantities(text: int | str, amount: Decimal | int) -> None:
    assert quantity(text) == amount


@pytest.mark.parametrize(
    "text", ["", "x", "2x", "1 Gi", "Gi", "1K", "1gi", "1e", "1.2.3", ".", "2GiB", "٢", "0x10", "1,5", " 1", "1\n"]
)
def test_what_is_not_a_quantity(text: str) -> None:
    assert quantity(text) is None
    assert problems_of(resources={"requests": {"cpu": text}}) == [
        f"resources.requests.cpu: {text!r}: is not a Kubernetes quantity: write a number such as 500m, 2 or 4Gi"
    ]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ({"resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": 2}}}, []),
        ({"resources": {"requests": {"cpu": 0.5}}},
         ["resources.requests.cpu: 0.5: is not a Kubernetes quantity: write a whole number, or a string such as "
          "'500m', '1.5' or '4Gi'"]),
        ({"resources": {"limits": {"memory": "-1Gi"}}},
         ["resources.limits.memory: '-1Gi': must not be negative: write a positive quantity"]),
        ({"resources": {"requests": {"memory": "4Gi"}, "limits": {"memory": "2048Mi"}}},
         ["resources.requests.memory: '4Gi': must not exceed the limit 2048Mi: lower it, or raise "
          "resources.limits.memory"]),
        ({"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "2048Mi"}}}, []),
        ({"resources": {"requests": {"mem": "1Gi"}}},
         ["resources.requests.mem: '1Gi': no such resource: did you mean memory?"]),
        ({"resources": {"requests": {"gpu": 1}}},
         ["resources.requests.gpu: 1: no such resource: write cpu, memory, ephemeral-storage or "
          "vendor.domain/resource"]),
        ({"resources": {"limits": {"nvidia.com/gpu": 1}}}, []),
        ({"resources": {"requests": {"nvidia.com/gpu": 1}}},
         ["resources.requests.nvidia.com/gpu: 1: needs a limit: set resources.limits.nvidia.com/gpu to the same"]),
        ({"resources": {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 2}}},
         ["resources.requests.nvidia.com/gpu: 1: must equal the limit 2: set both to the same"]),
        ({"resources": {"limits": {"nvidia.com/gpu": "500m"}}},
         ["resources.limits.nvidia.com/gpu: '500m': must be whole: this resource is counted in units"]),
        ({"resources": {"limits": {"nvidia.com/gpu": "1e999", "example.com/a": "9" * 5000}}}, []),
        ({"resources": {"limits": {"requests.example.com/gpu": 1}}},
         ["resources.limits.requests.example.com/gpu: 1: begins with requests., which quotas have for themselves: "
          "write vendor.domain/resource"]),
        ({"resources": {"limits": {"hugepages-2Mi": "4Mi", "memory": "1Gi"}}}, []),
        ({"resources": {"limits": {"hugepages-2Mi": "4Mi"}, "requests": {"cpu": 1}}}, []),
        ({"resources": {"limits": {"hugepages-2Mi": "4Mi"}}},
         ["resources.limits.hugepages-2Mi: '4Mi': goes with cpu or memory only: set one of them too"]),
        ({"resources": {"limits": {"hugepages-huge": "4Mi", "cpu": 1}}},
         ["resources.limits.hugepages-huge: '4Mi': no such resource: write hugepages- and the size of a page, such as "
          "hugepages-2Mi"]),
        ({"service_account_name": "team.clustering"}, []),
        *(({"service_account_name": name},
           [f"service_account_name: {name!r}: is not a name of Kubernetes, whose parts between dots begin and end with "
            "a letter or digit: write the ServiceAccount's metadata.name"]) for name in ("a..b", "a.-b", "a-.b")),
        ({"resources": {"request": {"cpu": 1}}}, ["resources.request: unknown field: did you mean requests?"]),
        ({"node_selector": {"kubernetes.io/arch": "arm64", "empty": ""}}, []),
        ({"node_selector": {"a b": "c"}},
         ["node_selector.a b: 'c': key 'a b' is not a label's key: write up to 63 letters, digits, '-', '_' and '.'"]),
        ({"node_selector": {"Example.com/a": "c"}},
         ["node_selector.Example.com/a: 'c': prefix 'Example.com' of key 'Example.com/a' is not a domain name: "
          "write it in lower case, such as example.com"]),
        ({"node_selector": {"a": "b c"}},
         ["node_selector.a: 'b c': is not a label's value: write up to 63 letters, digits, '-', '_' and '.'"]),
        ({"node_selector": {"a": "b" * 64}},
         [f"node_selector.a: '{'b' * 64}': is not a label's value: write up to 63 letters, digits, '-', '_' and '.'"]),
        ({"tolerations": [{"operator": "Exists"}, {"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}, []),
        ({"tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]}, []),
        ({"tolerations": [{"value": "yes"}]},
         ["tolerations[0].operator: must be Exists without a key: set key or operator"]),
        ({"tolerations": [{"key": "gpu", "operator": "Exists", "value": "yes"}]},
         ["tolerations[0].value: 'yes': must be empty with operator Exists: remove it"]),
        ({"tolerations": [{"key": "gpu", "effect": "NoSchedule", "tolerationSeconds": 60}]},
         ["tolerations[0].tolerationSeconds: 60: goes with effect NoExecute only: set that effect or remove "
          "tolerationSeconds"]),
        ({"tolerations": [{"key": "/gpu"}]},
         ["tolerations[0].key: '/gpu': prefix '' of key '/gpu' is not a domain name: write it in lower case, such as "
          "example.com"]),
    ],
)  # fmt: skip
def test_runs(run: dict[str, Any], expected: list[str]) -> None:
    assert problems_of(**run) == expected
