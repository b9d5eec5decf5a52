"""Tests that prose is found where people read it, and that code is not taken for prose."""

from __future__ import annotations

from harness.prose.texts import texts_of, wide_lines

MODULE = '''"""Reads a thing.

It has two parts:

    code, which counts as prose of a docstring
"""

LIMIT = 3  # the limit of things
"""The number of things."""


def message(name: str) -> str:
    """Returns `a_name` and ``more``."""
    # A comment of
    # two lines.
    return f"{name} is a message" + "short" + "#no comment here"
'''
PAGE = """# Title

A paragraph of
two lines with [a link](target.md#is-told).

```bash
code is told here
```

| cell one | cell two |
|---|---|
- an item
- another one
"""


def found(name: str, content: str) -> list[tuple[str, str]]:
    return sorted((text.place, text.words) for text in texts_of(content, name))


def test_docstrings_comments_and_messages_of_a_module() -> None:
    texts = dict(found("harness/module.py", MODULE))
    assert texts["harness/module.py:1"] == "Reads a thing."
    assert texts["harness/module.py:8"] == "the limit of things"
    assert texts["harness/module.py:9"] == "The number of things."
    assert texts["harness/module.py:13"] == "Returns … and …."
    assert texts["harness/module.py:14"] == "A comment of two lines."
    assert texts["harness/module.py:16"] == "… is a message"


def test_strings_of_tests_are_data() -> None:
    assert "… is a message" not in [words for _, words in found("e2e/module.py", MODULE)]


def test_paragraphs_cells_and_items_of_a_page() -> None:
    assert found("page.md", PAGE) == [
        ("page.md:1", "# Title"),
        ("page.md:10", "cell one"),
        ("page.md:10", "cell two"),
        ("page.md:11", "---"),
        ("page.md:11", "---"),
        ("page.md:12", "- an item"),
        ("page.md:13", "- another one"),
        ("page.md:3", "A paragraph of two lines with [a link]."),
    ]


def test_comments_of_manifests_and_templates() -> None:
    content = "# A whole\n# sentence.\nkey: value   # beside it\n{{- /* In a template. */ -}}\n"
    assert [words for _, words in found("charts/values.yaml", content)] == [
        "A whole sentence.",
        "beside it",
        "In a template.",
    ]


def test_texts_of_a_template() -> None:
    template = (
        '<style>p { color: red }</style>\n{% if told %}<p title="told">\nA run of {{ trigger.told }}.</p>{% endif %}\n'
    )
    assert found("page.html", template) == [("page.html:3", "A run of ….")]


def test_lines_of_pages_are_wrapped() -> None:
    wide = "word " * 5
    page = f"""# {wide}

| {wide} |
{wide}
- {wide}
short line

```
{wide}
```

    {wide}

<!-- {wide} -->
https://example.com/without-a-space
"""
    assert list(wide_lines(page, 20)) == [(4, 25), (5, 27)]
