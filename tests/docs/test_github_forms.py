"""Tests that GitHub accepts the issue forms: https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-githubs-form-schema."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
GITHUB = REPOSITORY / ".github"
FORMS = sorted(form for form in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if form.name != "config.yml")
ATTRIBUTES = {
    "markdown": {"value"},
    "input": {"label", "description", "placeholder", "value"},
    "textarea": {"label", "description", "placeholder", "value", "render"},
    "dropdown": {"label", "description", "multiple", "options", "default"},
    "checkboxes": {"label", "description", "options"},
}


def read(form: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(form.read_text())
    return content


def test_there_are_forms() -> None:
    assert [form.name for form in FORMS] == ["bug.yml", "feature.yml"]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_has_what_github_wants(form: Path) -> None:
    content = read(form)
    fields = [part for part in content["body"] if part["type"] != "markdown"]

    assert set(content) <= {"name", "description", "labels", "body", "title", "assignees", "projects", "type"}
    assert content["name"]
    assert content["description"]
    assert (
        len({field["id"] for field in fields}) == len({field["attributes"]["label"] for field in fields}) == len(fields)
    )
    for part in content["body"]:
        assert set(part) <= {"type", "id", "attributes", "validations"}
        assert set(part["attributes"]) <= ATTRIBUTES[part["type"]]
        assert set(part.get("validations", {})) <= {"required"}
    for field in fields:
        assert re.fullmatch(r"[\w-]+", field["id"])
        assert field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in fields)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_links_to_files_that_exist(form: Path) -> None:
    """Returns the target of a link relative to the page on which an issue is written."""
    for link in re.findall(r"\]\(\.\./blob/main/([^)#]+)", form.read_text()):
        assert (REPOSITORY / link).is_file(), link


def test_nobody_is_asked_by_name() -> None:
    """No file determines who reviews: there is no CODEOWNERS, and forms have no assignees."""
    assert not list(REPOSITORY.glob("CODEOWNERS")) + list(GITHUB.glob("CODEOWNERS"))
    assert all("assignees" not in read(form) for form in FORMS)
