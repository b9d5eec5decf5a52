"""Tests of `kubectl clustertrigger validate`."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from clustertrigger.cli.main import main

HEAD = "apiVersion: clustertrigger.dev/v1alpha1\n"
TRIGGER = f"""{HEAD}kind: ClusterTrigger
metadata: {{name: nightly, namespace: search}}
spec:
  trigger_type: cron
  schedule_config: {{cron_expression: "0 2 * * *"}}
  cluster_id: cluster_a
"""
DEFINITION = f"""{HEAD}kind: ClusterDefinition
metadata: {{name: products, namespace: search}}
spec:
  cluster_id: cluster_a
  collection_ids: [col_a]
  config: {{algorithm: kmeans, n_clusters: 5}}
"""
COLLECTION = f"""{HEAD}kind: Collection
metadata: {{name: first, namespace: search}}
spec: {{collection_id: col_a, source: {{uri: "s3://bucket/a.parquet"}}}}
"""


CHARACTERS = "write up to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"

Check = pytest.CaptureFixture[str]


def validate(monkeypatch: pytest.MonkeyPatch, capsys: Check, *documents: str) -> tuple[int, list[str]]:
    monkeypatch.setattr("sys.stdin", io.StringIO("---\n".join(documents)))
    code = main(["validate", "-f", "-"])
    captured = capsys.readouterr()
    assert captured.err == ""
    return code, captured.out.splitlines()


def test_references_are_followed_within_the_files(monkeypatch: pytest.MonkeyPatch, capsys: Check) -> None:
    assert validate(monkeypatch, capsys, TRIGGER, DEFINITION, COLLECTION) == (
        0,
        [
            "stdin:1: ClusterTrigger search/nightly: OK (0 2 * * * UTC)",
            "stdin:9: ClusterDefinition search/products: OK",
            "stdin:17: Collection search/first: OK",
        ],
    )


def test_references_outside_the_files_are_looked_up_in_the_cluster(
    monkeypatch: pytest.MonkeyPatch, capsys: Check
) -> None:
    code, lines = validate(monkeypatch, capsys, TRIGGER, COLLECTION)
    assert code == 0
    assert lines[0].endswith("OK (0 2 * * * UTC; its ClusterDefinition is looked up in the cluster)")
    code, lines = validate(monkeypatch, capsys, TRIGGER, DEFINITION)
    assert code == 0
    assert lines[0].endswith("OK (0 2 * * * UTC; its Collection is looked up in the cluster)")
    elsewhere = COLLECTION.replace("namespace: search", "namespace: other").replace("col_a", "col_b")
    code, lines = validate(monkeypatch, capsys, TRIGGER, DEFINITION, elsewhere)
    assert code == 0


def test_a_batch_is_in_the_cluster(monkeypatch: pytest.MonkeyPatch, capsys: Check) -> None:
    rerun = TRIGGER.replace("cluster_id: cluster_a", "action_type: batch_rerun\n  action_config: {batch_id: a-1}")
    code, lines = validate(monkeypatch, capsys, rerun)
    assert (code, lines) == (
        0,
        ["stdin:1: ClusterTrigger search/nightly: OK (0 2 * * * UTC; its batch is looked up in the cluster)"],
    )


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ((TRIGGER, DEFINITION.replace("cluster_a", "cluster_b")),
         "no ClusterDefinition with spec.cluster_id or metadata.name 'cluster_a' in this namespace: "
         "create one or correct the id"),
        ((TRIGGER, DEFINITION, COLLECTION.replace("col_a", "col_b")),
         "no Collection with spec.collection_id or metadata.name 'col_a' in this namespace: "
         "create one or correct the id"),
        ((TRIGGER, DEFINITION, COLLECTION, COLLECTION.replace("first", "second")),
         "collection_id 'col_a' is used by Collections first, second: change the collection_id of all but one"),
    ],
)  # fmt: skip
def test_unresolved_references(
    monkeypatch: pytest.MonkeyPatch, capsys: Check, documents: tuple[str, ...], message: str
) -> None:
    code, lines = validate(monkeypatch, capsys, *documents)
    assert code == 1
    assert lines[0] == f"stdin:1: ClusterTrigger search/nightly: {message}"
    assert lines[-1] == f"1 of {len(documents)} objects invalid"


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        (TRIGGER.replace("v1alpha1", "v1"), ["apiVersion: 'clustertrigger.dev/v1': is not a version of the API: write "
                                             "clustertrigger.dev/v1alpha1"]),
        (TRIGGER.replace(HEAD, ""), ["apiVersion: is not a version of the API: write clustertrigger.dev/v1alpha1"]),
        (TRIGGER.replace("ClusterTrigger", "ClusterTriger"),
         ["kind: 'ClusterTriger': no such kind in clustertrigger.dev: did you mean ClusterTrigger?"]),
        (TRIGGER.replace("name: nightly", "name: Nightly_1"),
         ["metadata.name: 'Nightly_1': is not an object's name: write up to 253 lower-case letters, digits, '-' and "
          "'.'"]),
        (TRIGGER.replace("name: nightly, ", ""), ["metadata.name: is required: set it"]),
        (TRIGGER.replace("name:", "generateName:"),
         ["metadata.generateName: 'nightly': does not work with apply: set metadata.name"]),
        (TRIGGER.replace("namespace: search", "labels: {a: 1}"),
         ["metadata.labels.a: 1: must be a string: write it in quotes"]),
        (TRIGGER.replace("namespace: search", "labels: {owner: ann@example.com, a b: x, empty: ''}"),
         [f"metadata.labels.owner: 'ann@example.com': is not a label's value: {CHARACTERS}",
          f"metadata.labels.a b: key 'a b' is not valid: {CHARACTERS}"]),
        (TRIGGER.replace("namespace: search", "annotations: {Example.com/Note: any @ text, /b: x}"),
         ["metadata.annotations./b: prefix '' of key '/b' is not a domain name: write it in lower case, such as "
          "example.com"]),
        (TRIGGER.replace("namespace: search", "annotations: {-b: x}"),
         [f"metadata.annotations.-b: key '-b' is not valid: {CHARACTERS}"]),
        (TRIGGER.replace("namespace: search", f"annotations: {{a: {'b' * 262_144}}}"),
         ["metadata.annotations: has 262,145 bytes, and Kubernetes accepts 262,144: shorten the values"]),
        (TRIGGER.replace("namespace: search", "label: {a: b}, description: x, finalizers: []"),
         ["metadata.label: unknown field: did you mean labels?",
          "metadata.description: unknown field: remove it, or move it to spec or to annotations"]),
        (TRIGGER.replace("namespace: search", "namespace: team.search"),
         ["metadata.namespace: 'team.search': is not a namespace's name: write up to 63 lower-case letters, digits and "
          "'-', with a letter or digit at both ends"]),
        (TRIGGER.replace("namespace: search", "namespace: 0"),
         ["metadata.namespace: 0: must be a string: write it in quotes"]),
        *((TRIGGER.replace("name: nightly", f"name: {written}"),
           [f"metadata.name: {read}: must be a string: write it in quotes"])
          for written, read in (("2024", "2024"), ("y", "true"), ("1e3", "1000"), ("010", "8"), ("on", "true"))),
        (TRIGGER.replace("name: nightly", "name: [nightly]").replace("namespace: search", "namespace: {a: b}"),
         ["metadata.name: must be a string, and not a list: write one value",
          "metadata.namespace: must be a string, and not an object: write one value"]),
        (TRIGGER.replace("namespace: search", "annotations: {a: yes, b: [c]}"),
         ["metadata.annotations.a: true: must be a string: write it in quotes",
          "metadata.annotations.b: must be a string, and not a list: write one value"]),
        (TRIGGER.replace("namespace: search", "labels: [a]"),
         ["metadata.labels: must be an object: write its keys below it, or remove it"]),
        (TRIGGER.replace("metadata: {name: nightly, namespace: search}\n", ""),
         ["metadata: is required: set metadata.name"]),
        (TRIGGER.replace("spec:", "specs:"), ["specs: unknown field: did you mean spec?", "spec: is required: set it"]),
        (TRIGGER.replace('"0 2 * * *"', '"0 2 31 2 *", timezone: CET/Berlin'),
         ["spec.schedule_config.cron_expression: '0 2 31 2 *': never fires, because no such day exists: "
          "change day of month or month"]),
        (TRIGGER.replace("cron_expression", "cronExpression") + "  statuss: paused\n",
         ["spec.schedule_config.cronExpression: unknown field: did you mean cron_expression?",
          "spec.statuss: unknown field: did you mean status?"]),
        (f"{HEAD}kind: Collection\nmetadata: {{name: a}}\nspec: []\n",
         ["spec: must be an object: write its fields below it"]),
        (TRIGGER.replace("kind:", "Kind:", 1),
         ["Kind: unknown field: did you mean kind?",
          "kind: no such kind in clustertrigger.dev: write one of ClusterTrigger, ClusterDefinition, Collection, "
          "Taxonomy"]),
    ],
)  # fmt: skip
def test_a_line_for_each_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: Check, document: str, problems: list[str]
) -> None:
    code, lines = validate(monkeypatch, capsys, document)
    assert code == 1
    assert [line.split(": ", 2)[2] for line in lines[:-1]] == problems
    assert all(line.startswith("stdin:1: ") for line in lines[:-1])
    assert lines[-1] == "1 of 1 object invalid"


def test_the_schedule_in_words(monkeypatch: pytest.MonkeyPatch, capsys: Check) -> None:
    schedule = "{event_type: documents_added, event_threshold: 100, collection_id: col_a}"
    event = TRIGGER.replace("cron\n", "event\n").replace('{cron_expression: "0 2 * * *"}', schedule)
    assert validate(monkeypatch, capsys, event, DEFINITION, COLLECTION)[1][0] == (
        "stdin:1: ClusterTrigger search/nightly: OK (100 documents_added)"
    )


def test_ambiguous_schedules_cause_a_warning(monkeypatch: pytest.MonkeyPatch, capsys: Check) -> None:
    code, lines = validate(monkeypatch, capsys, TRIGGER.replace("0 2 * * *", "0 9 1-7 * 1"), DEFINITION, COLLECTION)
    assert code == 0
    assert lines[:2] == [
        "stdin:1: ClusterTrigger search/nightly: OK (0 9 1-7 * 1 UTC)",
        "stdin:1: ClusterTrigger search/nightly: warning: spec.schedule_config.cron_expression: '0 9 1-7 * 1': cron "
        "combines day of month and day of week with OR, so the trigger is due on 10 to 11 days of a month: for days "
        "that match both "
        "write 0 9 */31,2-7 * 1",
    ]


def test_a_step_larger_than_its_field_causes_a_warning(monkeypatch: pytest.MonkeyPatch, capsys: Check) -> None:
    code, lines = validate(monkeypatch, capsys, TRIGGER.replace("0 2 * * *", "*/90 * * * *"), DEFINITION, COLLECTION)
    assert code == 0
    assert lines[1] == (
        "stdin:1: ClusterTrigger search/nightly: warning: spec.schedule_config.cron_expression: '*/90 * * * *': minute "
        "'*/90' matches only 0 in each hour, because the step is larger than the range 0-59: for every 90 minutes, use "
        "trigger_type interval with interval_seconds: 5400; for the same times as now, write */60"
    )


def test_a_zone_of_standard_time_causes_a_warning(monkeypatch: pytest.MonkeyPatch, capsys: Check) -> None:
    zone = TRIGGER.replace('"0 2 * * *"', '"0 2 * * *", timezone: EST')
    code, lines = validate(monkeypatch, capsys, zone, DEFINITION, COLLECTION)
    assert code == 0
    assert lines[:2] == [
        "stdin:1: ClusterTrigger search/nightly: OK (0 2 * * * EST)",
        "stdin:1: ClusterTrigger search/nightly: warning: spec.schedule_config.timezone: 'EST': is UTC-5 all year, "
        "without daylight saving time: write America/New_York; for UTC-5 all year, write America/Panama",
    ]


def test_an_empty_namespace_is_not_set(monkeypatch: pytest.MonkeyPatch, capsys: Check) -> None:
    """Charts render `namespace: ""`, which kubectl accepts."""
    collection = COLLECTION.replace("namespace: search", 'namespace: ""')
    assert validate(monkeypatch, capsys, collection) == (0, ["stdin:1: Collection default/first: OK"])


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("Collection", "clustertrigger.io/v1alpha1"),
        ("Collection", "ClusterTrigger.dev/v1alpha1"),
        ("collection", "v1alpha1"),
        ("ClusterDefinition", "cluster-trigger.dev/v1alpha1"),
        ("ClusterTrigger", "batch/v1"),
        ("Clustertrigger", "example.com/v1"),
    ],
)
def test_a_misspelled_group(monkeypatch: pytest.MonkeyPatch, capsys: Check, kind: str, version: str) -> None:
    """Such an object beside valid ones was passed over, and the exit code was 0."""
    other = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{}}\n"
    code, lines = validate(monkeypatch, capsys, TRIGGER, other)
    assert code == 1
    message = f"apiVersion: '{version}': is not a version of the API: write clustertrigger.dev/v1alpha1"
    assert f"stdin:9: {kind} default/a: {message}" in lines


@pytest.mark.parametrize(
    ("kind", "version"),
    [("ClusterDefinition", "apps.kubeblocks.io/v1"), ("Collection", "example.com/v1"), ("CronJob", "batch/v1")],
)
def test_kinds_of_other_groups(monkeypatch: pytest.MonkeyPatch, capsys: Check, kind: str, version: str) -> None:
    other = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n"
    code, lines = validate(monkeypatch, capsys, TRIGGER, other)
    assert (code, len(lines)) == (0, 1)
    code, lines = validate(monkeypatch, capsys, other, "")
    assert code == 1
    assert lines[0].endswith(f"v1alpha1 found, only {kind} of {version}: check apiVersion and kind")


def test_an_empty_name_of_a_file(capsys: Check) -> None:
    """The working directory was read, as after -f "$FILE" without FILE."""
    assert main(["validate", "-f", ""]) == 2
    assert "--filename: '': must not be empty: name a readable file, or -" in capsys.readouterr().err


def test_a_folder_named_like_a_file(tmp_path: Path, capsys: Check) -> None:
    """kubectl does not read the folders in a folder either."""
    (tmp_path / "base.yaml").mkdir()
    (tmp_path / "a.yaml").write_text(TRIGGER)
    assert main(["validate", "-f", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path}/a.yaml:1: ClusterTrigger search/nightly: OK")


def test_a_label_without_a_value(monkeypatch: pytest.MonkeyPatch, capsys: Check) -> None:
    """In metadata, the API server reads null as an empty string."""
    collection = COLLECTION.replace("namespace: search", "labels: {a: }, annotations: {b: null}")
    assert validate(monkeypatch, capsys, collection) == (0, ["stdin:1: Collection default/first: OK"])


LIST = f"{HEAD}kind: CollectionList\nitems:\n"
ITEM = "- metadata: {name: a}\n  spec: {source: {uri: s3://b/a.parquet}}\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (LIST + ITEM, "stdin:1: Collection default/a: OK"),
        (f"{LIST}{ITEM}  kind: ''\n  apiVersion: null\n", "stdin:1: Collection default/a: OK"),
        (f"{LIST}{ITEM}  kind: Collection\n",
         "stdin:1: Collection default/a: apiVersion: is not a version of the API: write clustertrigger.dev/v1alpha1"),
        (LIST.replace(HEAD, "") + ITEM,
         "stdin:1: Collection default/a: apiVersion: is not a version of the API: write clustertrigger.dev/v1alpha1"),
        (f"apiVersion: v1\nkind: List\nitems:\n{ITEM}",
         "no ClusterTrigger, ClusterDefinition, Collection or Taxonomy of clustertrigger.dev/v1alpha1 found, only "
         "(no kind) of (no apiVersion): check apiVersion and kind"),
        ("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: List, items: []}\n",
         "stdin:1: a list is in a list: move its items to the outer one"),
        (f"{LIST}- a\n", "stdin:1: not an object: write apiVersion, kind, metadata and spec"),
    ],
)  # fmt: skip
def test_items_of_a_list(monkeypatch: pytest.MonkeyPatch, capsys: Check, text: str, line: str) -> None:
    """kubectl adds the kind to the items of the list of one kind, and refuses a list in a list."""
    assert validate(monkeypatch, capsys, text)[1][0] == line


def test_the_same_object_twice(monkeypatch: pytest.MonkeyPatch, capsys: Check) -> None:
    code, lines = validate(monkeypatch, capsys, COLLECTION, COLLECTION)
    assert code == 1
    message = "metadata.name: 'first': is given twice: rename or remove one of the two"
    assert lines[0] == f"stdin:1: Collection search/first: {message}"


def test_lists_folders_and_foreign_objects(tmp_path: Path, capsys: Check) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\n---\n" + COLLECTION)
    indented = "".join(f"    {line}\n" for line in DEFINITION.splitlines())
    (tmp_path / "b.yml").write_text("apiVersion: v1\nkind: List\nitems:\n  -\n" + indented)
    (tmp_path / "c.json").write_text(
        '{\n\t"apiVersion": "clustertrigger.dev/v1alpha1", "kind": "Collection",\n\t"metadata": {"name": "j"},\n'
        '\t"spec": {"source": {"uri": "s3://b/j.parquet"}}\n}\n'
    )
    (tmp_path / "notes.txt").write_text("no YAML: at: all")
    assert main(["validate", "-f", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/a.yaml:6: Collection search/first: OK",
        f"{tmp_path}/b.yml:1: ClusterDefinition search/products: OK",
        f"{tmp_path}/c.json:1: Collection default/j: OK",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spec:\n  cron_expression: */5 * * * *\n",
         "stdin:2: expected alphabetic or numeric character, but found '/': put it in quotes: \"*/5 * * * *\""),
        ("spec:\n  cron_expression: @daily\n",
         "stdin:2: found character '@' that cannot start any token: put it in quotes: \"@daily\""),
        ("a: 1\nb: 2\na: 3\n", "stdin:3: key 'a' is set twice: correct it"),
        ("a: {b: */5 * * * *}\n",
         "stdin:1: expected alphabetic or numeric character, but found '/': put it in quotes: \"*/5 * * * *\""),
        ("a: {\"b\": */5 1,2 * * *, timezone: UTC}\n",
         "stdin:1: expected alphabetic or numeric character, but found '/': put it in quotes: \"*/5 1,2 * * *\""),
        ("a: {c: {b: @daily , \"timezone\": UTC}}\n",
         "stdin:1: found character '@' that cannot start any token: put it in quotes: \"@daily\""),
        ("a: {\n  b: @daily,\n  c: 1}\n",
         "stdin:2: found character '@' that cannot start any token: put it in quotes: \"@daily\""),
        ("a: {b: @daily, c: @hourly}\n",
         "stdin:1: found character '@' that cannot start any token: put it in quotes: \"@daily\""),
        ("a: [1\n", "stdin:2: expected ',' or ']', but got '<stream end>': correct it"),
        ("- a\n", "stdin:1: not an object: write apiVersion, kind, metadata and spec"),
        ("a:\n\tb: 1\n", "stdin:2: found character '\\t' that cannot start any token: indent with spaces"),
        ("a: 1\n--- {b: 1}\n", "stdin:2: content follows --- in the same line: write it in the next line"),
        ("a: 1\n---\n# x\n%YAML 1.2\n---\nb: 1\n",
         "stdin:4: kubectl reads no directives in manifests: remove this line"),
        ("a: \x01\n", "stdin: not valid YAML: "),
        ("a: {{ .Values.a }}\n", "stdin:1: a key is a list or an object: render the template first, such as with "),
        ("a:\n  b:1\n  c: 2\n", "stdin:3: mapping values are not allowed here: write a space after the colon in li"),
        ("a:\u00a0b\nc: 2\n", "stdin:2: mapping values are not allowed here: line 1 contains a no-break space: "),
        ("# a\u00a0b {{ x }}\na: @daily # {{ x }}\n",
         "stdin:2: found character '@' that cannot start any token: put it in quotes: \"@daily\""),
        ("a: x\u00a0y\nb: */5 * * * *\n",
         "stdin:2: expected alphabetic or numeric character, but found '/': put it in quotes: \"*/5 * * * *\""),
        ("a:\n- nginx:1.25\n b: 1\n", "stdin:3: mapping values are not allowed here: correct it"),
        ("a: http://b\n c: 2\n", "stdin:2: mapping values are not allowed here: correct it"),
    ],
)  # fmt: skip
def test_files_that_are_not_objects(monkeypatch: pytest.MonkeyPatch, capsys: Check, text: str, message: str) -> None:
    code, lines = validate(monkeypatch, capsys, text)
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith(message)


def test_no_objects_of_this_project(monkeypatch: pytest.MonkeyPatch, capsys: Check) -> None:
    assert validate(monkeypatch, capsys, "") == (
        1,
        ["no ClusterTrigger, ClusterDefinition, Collection or Taxonomy of clustertrigger.dev/v1alpha1 found: "
         "check apiVersion and kind"],
    )  # fmt: skip


INTERVAL = TRIGGER.replace("cron\n", "interval\n").replace(
    '{cron_expression: "0 2 * * *"}', "{interval_seconds: AMOUNT}"
)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1e3", "OK (every 16m40s; its"),
        ("3600.0", "OK (every 1h; its"),
        ("010", "OK (every 8s; its"),
        ("0o10", "OK (every 8s; its"),
        ("0x10", "OK (every 16s; its"),
        ("1_000", "OK (every 16m40s; its"),
        ("1:30", "spec.schedule_config.interval_seconds: '1:30': must be a whole number of seconds: write 5400 for"),
        ("1h30m", "spec.schedule_config.interval_seconds: '1h30m': must be a whole number of seconds: write 5400"),
        ("60.5", "spec.schedule_config.interval_seconds: 60.5: must be a whole number: write it without quotes and"),
        ("yes", "spec.schedule_config.interval_seconds: true: must be a whole number: write a number"),
        ("'60'", "spec.schedule_config.interval_seconds: '60': must be a whole number: write it without quotes and"),
    ],
)
def test_numbers_are_read_as_kubectl_reads_them(
    monkeypatch: pytest.MonkeyPatch, capsys: Check, written: str, said: str
) -> None:
    code, lines = validate(monkeypatch, capsys, INTERVAL.replace("AMOUNT", written))
    assert code == (0 if said.startswith("OK") else 1)
    assert lines[0].startswith(f"stdin:1: ClusterTrigger search/nightly: {said}")


@pytest.mark.parametrize("written", ["1:30", "1e400", "010:00", "yEs", "2026-03-28", "1.2.3"])
def test_texts_are_read_as_kubectl_reads_them(monkeypatch: pytest.MonkeyPatch, capsys: Check, written: str) -> None:
    assert validate(monkeypatch, capsys, TRIGGER + f"  description: {written}\n")[0] == 0


@pytest.mark.parametrize("written", ["1e3", "010", "yes", "off", "n", "1_000", "3.0"])
def test_other_types_are_read_as_kubectl_reads_them(
    monkeypatch: pytest.MonkeyPatch, capsys: Check, written: str
) -> None:
    code, lines = validate(monkeypatch, capsys, TRIGGER + f"  description: {written}\n")
    assert code == 1
    assert lines[0].endswith("must be a string: write it in quotes")


def test_times_stay_text(monkeypatch: pytest.MonkeyPatch, capsys: Check) -> None:
    code, _ = validate(monkeypatch, capsys, TRIGGER + "  description: 2026-03-28\n")
    assert code == 0
