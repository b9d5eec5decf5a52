"""Tests that files are read as kubectl reads them, compared with kubectl itself if it is on PATH."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clustertrigger.cli.kubectl_yaml import documents, first_document

HEAD = "apiVersion: v1\nkind: Any\nmetadata: {name: any}\n"
KUBECTL = shutil.which("kubectl")
ERROR = object()

SCALARS: list[tuple[str, Any]] = [
    ("1:30", "1:30"), ("1:30:30", "1:30:30"), ("190:20:30.15", "190:20:30.15"),
    ("1e3", 1000), ("1E3", 1000), ("1e+3", 1000), ("1e-3", 0.001), ("1.0e3", 1000), ("0.1e3", 100), ("1.5e3", 1500),
    ("3600.0", 3600), ("3600.", 3600), ("1.10", 1.1), (".5", 0.5), ("-.5", -0.5), ("+.5", 0.5), ("-0.0", 0),
    ("010", 8), ("-010", -8), ("08", 8), ("09", 9), ("007", 7), ("0o10", 8), ("0O10", 8), ("0o8", "0o8"), ("00", 0),
    ("0x1F", 31), ("0X1f", 31), ("0x_1F", 31), ("0xg", "0xg"), ("0b11", 3), ("0B11", 3), ("0b12", "0b12"),
    ("-0b11", -3), ("0b+101", 5), ("0b-1", -1), ("0b_+1_0", 2), ("-0b+1", "-0b+1"), ("0B+1", "0B+1"), ("0b+2", "0b+2"),
    (f"0b-1{'0' * 63}", -(2**63)), (f"0b+1{'0' * 63}", f"0b+1{'0' * 63}"), ("!!int 0b-11", -3),
    ("1_000", 1000), ("1__0", 10), ("1_0.5", 10.5), ("_1", "_1"), ("+_1", 1), (".5_0", 0.5), ("._5", "._5"),
    ("+1", 1), ("-1", -1), ("9007199254740993", 9007199254740993), ("9223372036854775808", 9.223372036854775808e18),
    ("1e21", 1e21), ("1e400", "1e400"), ("0777777777777777777777777", 7.777777777777778e23),
    ("yes", True), ("Yes", True), ("YES", True), ("yEs", "yEs"), ("no", False), ("on", True), ("Off", False),
    ("y", True), ("n", False), ("Y", True), ("true", True), ("TRUE", True), ("tRUE", "tRUE"), ("false", False),
    ("~", None), ("null", None), ("NULL", None), ("nULL", "nULL"), ("''", ""), ('"1e3"', "1e3"), ("'yes'", "yes"),
    ("2026-03-28", "2026-03-28"), ("2026-03-28T10:00:00Z", "2026-03-28T10:00:00Z"), ("0 2 * * *", "0 2 * * *"),
    ("=", "="), ("<<", "<<"), ("1.2.3", "1.2.3"), ("1d", "1d"), ("5%", "5%"), ("nan", "nan"), ("Inf", "Inf"),
    (".inf", ERROR), ("-.INF", ERROR), (".nan", ERROR),
    ("!!str 5", "5"), ("!!str yes", "yes"), ("!!int '5'", 5), ("!!int 5.0", ERROR), ("!!float 3", 3),
    ("!!float 9223372036854775807", 9.223372036854775807e18),
    ("!!float 9223372036854775808", ERROR),
    ("!!bool 'on'", True),
    ("!!float yes", ERROR), ("!!null x", ERROR), ("! 5", "5"), ("!own 5", "5"),
    ("!!timestamp 2001-01-01", "2001-01-01"),
    ("1e3\t", 1000), ("1e3 \t# comment", 1000), ("0\t2 * * *", "0\t2 * * *"), ("[1\t, 2]", [1, 2]), ('"\\/"', ERROR),
    ('"\\\'"', "'"),
    ("| \t# comment\n      a", "a\n"), ("a\n\tb", ERROR), ("a\n    \tb", "a b"),
    ("|\t\n    a", "a\n"), (">\t\n    a", "a\n"), ("|-\t\n    a", "a"), ("|2\t\n     a", " a\n"), ("|#c\n    a", "a\n"),
    ("|2-\t# c\n     a", " a"), ("|+1\n    a\n", " a\n\n"),
    ("|c\n    a", ERROR), ("|0\n    a", ERROR), ("|+-\n    a", ERROR),
    ('!!int\t"3"', 3), ("!!str\t5", "5"), ("!\t5", "5"), ('!own\t"!"', "!"), ("!!\t5", ERROR),
    ("!!binary aGVsbG8=", "hello"), ("!!binary x", ERROR), ("!!binary 'aGVs bG8='", ERROR),
    ("!!binary |\n    aGVs\n    bG8=", "hello"), ("!!set {a, b}", {"a": None, "b": None}),
]  # fmt: skip

STRUCTURES: list[tuple[str, Any]] = [
    ("{<<: {a: 1}, b: 2}", {"a": 1, "b": 2}),
    ("{<<: {a: 1}, a: 2}", {"a": 2}),
    ("{a: 2, <<: {a: 1}}", {"a": 1}),
    ("{<<: [{a: 1}, {a: 2, b: 3}]}", {"a": 1, "b": 3}),
    ("{<<: 3}", ERROR),
    ("{<<: [3]}", ERROR),
    ('{"<<": {a: 1}}', {"<<": {"a": 1}}),
    ("{1: a, 0x10: b, 1.5: c, 1e3: d, yes: e, n: f}",
     {"1": "a", "16": "b", "1.5": "c", "1000": "d", "true": "e", "false": "f"}),
    ("{~: a}", ERROR),
    ("{9223372036854775807: a}", {"9223372036854775807": "a"}),
    ("{9223372036854775808: a}", ERROR),
    ("{? [a] : b}", ERROR),
    ("[&x 1, *x, &x 2, *x]", [1, 1, 2, 2]),
    ("&x [*x]", ERROR),
    ("[&x {a: 1}, {<<: *x, b: 2}]", [{"a": 1}, {"a": 1, "b": 2}]),
    ("[&x a, {*x : b}]", ["a", {"a": "b"}]),
    ("[&x [{a: 1}], {<<: *x}]", ERROR),
    ("{a: b:}", {"a": "b:"}),
    ("{a: b:, c: [d:]}", {"a": "b:", "c": ["d:"]}),
    ("[f, -:]", ["f", "-:"]),
    ("[a:b, c:{d}]", ERROR),
    ("[a: b, c d: e]", [{"a": "b"}, {"c d": "e"}]),
    ("{a:, b: 1}", {"a:": None, "b": 1}),
    ("{1.123456789: a, 123456789.5: b, 1e6: c, 100000.5: d, 0.00001: e, 1e39: f}",
     {"1.1234568": "a", "1.2345679e+08": "b", "1e+06": "c", "100000.5": "d", "1e-05": "e", ".inf": "f"}),
    ("{a: &x {b: 1}, c: *x}", {"a": {"b": 1}, "c": {"b": 1}}),
    ('"\\ud83d"', ERROR),
]  # fmt: skip


def value_of(text: str) -> Any:
    try:
        ((_, document),) = documents(f"{HEAD}spec:\n  v: {text}\n")
    except yaml.YAMLError:
        return ERROR
    return document["spec"]["v"]


def kubectl(text: str, folder: Path) -> Any:
    """Returns how kubectl reads a file; this needs no cluster."""
    (folder / "file.yaml").write_text(text)
    command = [str(KUBECTL), "annotate", "--local", f"--filename={folder}/file.yaml", "a=b", "--output=json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout)["spec"]["v"] if done.returncode == 0 else ERROR


def same(one: Any, other: Any) -> bool:
    """Compares values and JSON types; integers and floats are one type."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return isinstance(one, bool) == isinstance(other, bool) and float(one) == float(other)
    return type(one) is type(other) and bool(one == other)


@pytest.mark.parametrize(("text", "value"), [*SCALARS, *STRUCTURES])
def test_values(text: str, value: Any) -> None:
    found = value_of(text)
    assert same(found, value), found
    if isinstance(value, int):
        assert type(found) is type(value), "a whole number is one, however it is written"


@pytest.mark.skipif(KUBECTL is None, reason="no kubectl on PATH")
def test_kubectl_reads_the_values_alike(tmp_path: Path) -> None:
    good = [(text, value) for text, value in SCALARS + STRUCTURES if value is not ERROR and not text.startswith("[&x")]
    listed = "".join(f"  - {text}\n" for text, _ in good)
    found = kubectl(f"{HEAD}spec:\n  v:\n{listed}", tmp_path)
    wrong = {text: told for (text, value), told in zip(good, found, strict=True) if not same(told, value)}
    assert wrong == {}
    for text, value in SCALARS + STRUCTURES:
        if value is ERROR:
            assert kubectl(f"{HEAD}spec:\n  v: {text}\n", tmp_path) is ERROR, text


@pytest.mark.skipif(KUBECTL is None, reason="no kubectl on PATH")
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.lists(st.from_regex(r"[-+._0-9eExXoObB:]{1,10}", fullmatch=True), min_size=50, max_size=400))
def test_kubectl_reads_the_same_texts_as_numbers(tmp_path: Path, texts: list[str]) -> None:
    plain = [text for text in texts if not text.endswith(":") and text != "-" and not text.startswith(("---", ":"))]
    listed = "".join(f"  - {text}\n" for text in plain)
    ((_, document),) = documents(f"{HEAD}spec:\n  v:\n{listed or '  - 1'}")
    found, told = document["spec"]["v"], kubectl(f"{HEAD}spec:\n  v:\n{listed or '  - 1'}", tmp_path)
    assert told is not ERROR, plain
    assert [(t, a, b) for t, a, b in zip(plain, found, told, strict=False) if not same(a, b)] == []


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ('{"spec": {"a": 3600.0, "b": 1e3, "c": "\\ud83d\\ude00\\/", "d": 1.5, "e": -0}}',
         {"a": 3600, "b": 1000, "c": "\U0001f600/", "d": 1.5, "e": 0}),
        ("{spec: {a: 010}}", {"a": 8}),
        ('{"spec": {"a": 1,}} # a comment', {"a": 1}),
        ('{"spec": {"a": "\\/"}} null', {"a": "/"}),
    ],
)  # fmt: skip
def test_json_and_yaml_in_braces(text: str, spec: Any) -> None:
    ((_, document),) = documents(text)
    assert same(document["spec"], spec)


def test_streams_and_the_lines_at_which_documents_begin() -> None:
    assert list(documents('{"a": 1}\n\n{"a": 2} {"a": 3}\n')) == [(0, {"a": 1}), (2, {"a": 2}), (2, {"a": 3})]
    assert list(documents("a: 1\n---\n# nothing\n---\na: 2\n")) == [(0, {"a": 1}), (4, {"a": 2})]
    assert list(documents('{"a": 1}\n---\n{"a": 2}\n')) == [(0, {"a": 1}), (2, {"a": 2})]
    assert list(documents('{"a": "\\/"}\n\n---\nb: 1\n---\nc: 1\n')) == [(0, {"a": "/"}), (3, {"b": 1}), (5, {"c": 1})]
    assert list(documents('{"a": 1}---\nb: 1\n')) == [(0, {"a": 1}), (1, {"b": 1})]
    with pytest.raises(ValueError, match="line 3: only JSON can follow two JSON objects without ---"):
        list(documents('{"a": 1}\n{"a": 2}\n---\nb: 1\n'))


ONE, TWO = f"{HEAD}spec: {{v: 1}}\n", f"{HEAD}spec: {{v: 2}}\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{ONE}---\t\n{TWO}", [1, 2]),
        (f"{ONE}--- # comment\n{TWO}---", [1, 2]),
        (f"\ufeff{ONE}---\n\ufeff{TWO}", [1, 2]),
        (f"\ufeff---\n{ONE}", [1]),
        (f"{ONE}---\n{TWO}".replace("\n", "\r\n"), [1, 2]),
        (f"{ONE}--- {{apiVersion: v1, kind: Any, metadata: {{name: any}}, spec: {{v: 2}}}}\n", ERROR),
        (f"%YAML 1.1\n---\n{ONE}", ERROR),
        (f"---#c\n{ONE}", ERROR),
        (f"{ONE}---#c\n{TWO}", [1, 2]),
        (f"---\n---\n{ONE}---\n---\n{TWO}", [1, 2]),
        (f"%TAG ! tag:example.org,2000:\n---\n{ONE}", ERROR),
        (f"{HEAD}spec:\n  v: |\n    ---\n    x\n", ["---\nx\n"]),
        (f"{HEAD}spec:\n  v: |\n    x", ["x\n"]),
        (f"{HEAD}spec: {{v: 1}}\n\ufeffa: 1\n", [1]),
        (f"{HEAD}spec:\n\tv: 1\n", ERROR),
        (f"{HEAD}spec:\n  v:\t1\n", [1]),
        (f"{HEAD}spec: {{\n\tv: 1\n  }}\n", [1]),
        (f"{HEAD}spec: {{\n\tv: 1\n\t}}\n", ERROR),
    ],
)
def test_documents_and_tabs(text: str, found: object, tmp_path: Path) -> None:
    try:
        values: object = [document["spec"]["v"] for _, document in documents(text)]
    except yaml.YAMLError:
        values = ERROR
    assert values == found
    if KUBECTL is not None:
        (tmp_path / "file.yaml").write_text(text, newline="")
        command = [KUBECTL, "annotate", "--local", f"--filename={tmp_path}/file.yaml", "a=b", "--output=json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        count = 0 if done.returncode else done.stdout.count('"kind": "Any"')
        assert count == (0 if found is ERROR else len(found))  # type: ignore[arg-type]


CONFIG = "apiVersion: v1\nkind: Config\ncurrent-context: one\ncontexts: [{name: one, context: {}}]\n"
IN_BRACES = "{apiVersion: v1, kind: Config, current-context: one, contexts: [{name: one, context: {}}]}\n"


@pytest.mark.parametrize(
    ("text", "context"),
    [
        (CONFIG, "one"),
        (f"---\n{CONFIG}", "one"),
        (f"# comment\n---\n{CONFIG}", "one"),
        (f"%YAML 1.1\n---\n{CONFIG}", "one"),
        (f"# comment\n%YAML 1.1\n---\n{CONFIG}", "one"),
        (f"\ufeff%YAML 1.1\n---\n{CONFIG}", "one"),
        (f"%YAML 1.2\n---\n{CONFIG}", ERROR),
        (f"%YAML 1.1\n{CONFIG}", ERROR),
        (f"%TAG ! tag:example.org,2000:\n---\n{CONFIG}", "one"),
        (f"--- {IN_BRACES}", "one"),
        (f"--- &all\n{CONFIG}", "one"),
        (f"--- !!map\n{CONFIG}", "one"),
        (f"--- # comment\n{CONFIG}", "one"),
        (f"--- {CONFIG}", ERROR),
        (f"{CONFIG}--- {{current-context: two}}\n", "one"),
        (f"{CONFIG}---\nx: [\n", "one"),
        (f"{CONFIG}...\nx: [\n", "one"),
        (f"{CONFIG}current-context: two\n", "two"),
        (f"---\n---\n{CONFIG}", ""),
        ("", ""),
        ("# comment\n", ""),
        (json.dumps(yaml.safe_load(CONFIG), indent="\t"), "one"),
        ("\ufeff" + json.dumps(yaml.safe_load(CONFIG)), "one"),
    ],
)
def test_kubeconfigs(text: str, context: object, tmp_path: Path) -> None:
    """The first document counts, and YAML decides where it begins."""
    try:
        value: object = (first_document(text) or {}).get("current-context", "")
    except (yaml.YAMLError, AttributeError):
        value = ERROR
    assert value == context
    if KUBECTL is not None:
        (tmp_path / "config").write_text(text)
        command = [KUBECTL, f"--kubeconfig={tmp_path}/config", "config", "view", "--output=jsonpath={.current-context}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (ERROR if done.returncode else done.stdout) == context


def test_errors_name_the_line_of_the_file() -> None:
    with pytest.raises(yaml.MarkedYAMLError) as refused:
        list(documents("a: 1\n---\nb: 1\nb: 2\n"))
    assert refused.value.problem_mark is not None
    assert refused.value.problem_mark.line == 3


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "yes: 1\non: 2\n", "1: a\n'1': b\n", '{"a": {"b": 1, "b": 2}}'])
def test_a_key_given_twice_is_an_error(text: str) -> None:
    """kubectl takes the last one, so that the first has no effect."""
    with pytest.raises((yaml.YAMLError, ValueError), match="is set twice"):
        list(documents(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: " + "9" * 5000, "9" * 5000),
        ("a: " + "9" * 200, float("9" * 200)),
        ("a: 1e999", "1e999"),
        ("a: 18446744073709551.15", 18446744073709550),
        ("a: 18446744073709551", 18446744073709551),
    ],
)
def test_numbers_of_any_length(text: str, value: Any) -> None:
    assert list(documents(text)) == [(0, {"a": value})]


@pytest.mark.parametrize("digits", ["1e999", "-1e999", "9" * 5000])
def test_json_numbers_out_of_range(digits: str) -> None:
    with pytest.raises(ValueError, match="is out of range"):
        list(documents(f'{{"a": {digits}}}'))


_PIECES = st.sampled_from(
    [
        *"ab{}[],:|>?~\\\t",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "&x ",
        "*x",
        "<<: ",
        "!!int ",
        "!!binary ",
        "!t ",
        "'",
        '"',
        "# c\n",
        "---\n",
        "...\n",
        "1e3",
        "010",
        "%YAML 1.1\n",
        "\ufeff",
        "\x85",
        "😀",
        '"\\ud800"',
        '{"a": 1}',
        "null",
    ]
)


@settings(max_examples=500)
@given(st.lists(_PIECES, max_size=25).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(yaml.YAMLError, ValueError, RecursionError):
        json.dumps(list(documents(text)), allow_nan=False)


EXCESSIVE = "document contains excessive aliasing"


def _levels(items: int, levels: int) -> str:
    first = f"a0: &a0 [{', '.join(['x'] * items)}]"
    others = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * items)}]" for n in range(1, levels)]
    return "\n".join([first, *others, ""])


@pytest.mark.parametrize(
    ("items", "levels", "is_read"),
    [
        (9, 3, True), (9, 4, False), (9, 5, False), (9, 9, False), (3, 5, True), (3, 8, False), (3, 10, False),
        (2, 8, True), (2, 10, False),
    ],
)  # fmt: skip
def test_aliases_do_not_fill_the_memory(items: int, levels: int, is_read: bool, tmp_path: Path) -> None:
    text = f"{HEAD}{_levels(items, levels)}spec: {{v: 1}}\n"
    expected = contextlib.nullcontext() if is_read else pytest.raises(yaml.YAMLError, match=EXCESSIVE)
    with expected:
        assert [document["spec"]["v"] for _, document in documents(text)] == [1]
    if KUBECTL is not None:
        assert kubectl(text, tmp_path) == (1 if is_read else ERROR)


@pytest.mark.parametrize(("aliases", "is_read"), [(68, True), (69, False)])
def test_of_a_large_document_fewer_nodes_can_be_aliased(aliases: int, is_read: bool) -> None:
    """The share, 99 % in a smaller one, falls from 400,000 nodes on."""
    text = f"a: &a [{', '.join(['1'] * 6000)}]\nb: [{', '.join(['*a'] * aliases)}]\n"
    if is_read:
        assert len(next(documents(text))[1]["b"]) == aliases
    else:
        with pytest.raises(yaml.YAMLError, match=EXCESSIVE):
            list(documents(text))
