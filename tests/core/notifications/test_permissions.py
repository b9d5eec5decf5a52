"""Tests of the errors about receivers that are found before a notification is sent."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from clustertrigger.api.notification import Receiver
from clustertrigger.core.notifications.addresses import Allowed
from clustertrigger.core.notifications.permissions import Credentials, Permissions, problems_in, why_refused
from clustertrigger.core.resources.validation import parse_trigger
from tests.core.builders import spec

CI = {"ci": Credentials(namespaces=("search",), hosts=("ci.example.com", "10.20.0.7"))}
DEFAULT = Permissions()
OPEN = Permissions(plain_http=True, allowed=Allowed(networks=(ip_network("10.20.0.0/16"),)), credentials=CI)


@pytest.mark.parametrize(
    ("receiver", "permissions", "says"),
    [
        ({"uri": "https://ci.example.com/hook"}, DEFAULT, None),
        ({"uri": "https://ci.example.com/hook"}, Permissions(enabled=False), "uri: notifications are disabled"),
        ({"uri": "http://ci.example.com/hook"}, DEFAULT, "uri: must begin with https://"),
        ({"uri": "http://ci.example.com/hook"}, OPEN, None),
        ({"uri": "https://10.20.0.7/"}, DEFAULT, "uri: 10.20.0.7 has the address 10.20.0.7, which is private"),
        ({"uri": "https://10.20.0.7:8443/"}, OPEN, None),
        ({"uri": "https://[::1]/"}, OPEN, "uri: ::1 has the address ::1, which is loopback"),
        ({"uri": "https://169.254.169.254/latest"}, OPEN, "which is link-local"),
        ({"uri": "https://ci.example.com:99999/"}, OPEN, "uri: the port must be a number up to 65535"),
        ({"uri": "https://ci.example.com/", "credentials": "ci"}, OPEN, None),
        ({"uri": "https://CI.example.com./", "credentials": "ci"}, OPEN, None),
        ({"uri": "https://10.20.0.7/", "credentials": "ci"}, OPEN, None),
        ({"uri": "https://ci.example.com/", "credentials": "cd"}, OPEN, "has no such entry (it has: ci)"),
        ({"uri": "https://ci.example.com/", "credentials": "ci"}, DEFAULT, "has no such entry (it has: none)"),
        (
            {"uri": "https://evil.example.com/", "credentials": "ci"},
            OPEN,
            "does not allow it for host 'evil.example.com'",
        ),
    ],
)
def test_which_receivers_are_allowed(receiver: dict[str, Any], permissions: Permissions, says: str | None) -> None:
    why = why_refused(Receiver.model_validate(receiver), "search", permissions)
    assert (why is None) == (says is None), why
    assert (says or "") in (why or "")


def test_credentials_belong_to_namespaces() -> None:
    receiver = Receiver(uri="https://ci.example.com/", credentials="ci")
    (problem,) = problems_in([receiver], "ads", OPEN)
    assert str(problem) == (
        "spec.run.notify[0].credentials: 'ci': notify.credentials of the operator's chart does not allow it in "
        "namespace 'ads': add the namespace to the chart's values"
    )


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ([{"uri": "https://a.example.com/x?y=z"}, {"uri": "http://[fd00::1]:80"}], None),
        ([{"uri": "ftp://a.example.com/"}], "must be an address such as https://host/path"),
        ([{"uri": "https://user:secret@a.example.com/"}], "without a user, a fragment and blanks"),
        ([{"uri": "https://a.example.com\\@b.example.com/"}], "must be an address such as https://host/path"),
        ([{"uri": "https://a.example.com/#x"}], "must be an address such as https://host/path"),
        ([{"uri": "https:///x"}], "must be an address such as https://host/path"),
        ([{"uri": "https://\uff45xample.com/"}], "must be an address such as https://host/path"),
        ([{"uri": "https://a/"}, {"uri": "https://a/"}], "'https://a/' is listed twice"),
        ([{"uri": "https://a/", "events": ["done"]}], "must be 'completed', 'failed', 'changed' or 'drifted'"),
        ([{"uri": "https://a/", "events": []}], "must not be empty"),
        ([{"uri": "https://a/", "events": ["failed", "failed"]}], "'failed' is listed twice"),
        ([{"uri": "https://a/", "true": ["failed"]}], "YAML reads a bare on, off, yes, no, y or n as a boolean"),
        ([{"uri": "https://a/", "retry_seconds": 0}], "must be at least 1"),
        ([{"uri": f"https://a/{n}"} for n in range(9)], "must have at most 8 items"),
        ([{}], "is required"),
    ],
)
def test_allowed_specs(written: list[dict[str, Any]], says: str | None) -> None:
    parsed, problems = parse_trigger(spec(run={"notify": written}))
    assert (parsed is not None) == (says is None), problems
    if says:
        assert any(says in str(problem) for problem in problems), problems
