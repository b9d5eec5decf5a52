"""Tests of a source's uri: globs, malformed globs, and directories, on volumes and in buckets."""

from __future__ import annotations

import fnmatch
import json
import os
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustercontract.container import ExitCode
from clustercontract.data_files import compile_pattern, data_files, is_data_file, matcher, matching
from clustercontract.filters import Filter
from clustercontract.globs import glob_problem
from clustercontract.source import Source
from clustertrigger.cli.main import main
from clustertrigger.core.resources.validation import parse_collection
from clusterworker.data.sources.parquet.collection import ParquetCollection
from clusterworker.data.sources.parquet.store import VolumeStore
from clusterworker.process.errors import MisconfiguredError, UnavailableError
from clusterworker.process.outcome import failure
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, table, write
from tests.clusterworker.storage.s3_server import Bucket

VECTORS = planted(10, 2, dimensions=4).vectors
KMEANS = {"algorithm": "kmeans", "n_clusters": 2}

REVERSED = [
    ("p[z-a]*", "[z-a], whose range is reversed: write a-z instead of z-a"),
    ("p[z-a]", "[z-a], whose range is reversed: write a-z instead of z-a"),
    ("day=[9-0]/*.parquet", "[9-0], whose range is reversed: write 0-9 instead of 9-0"),
    ("[!b-a].parquet", "[!b-a], whose range is reversed: write a-b instead of b-a"),
    ("[a-cz-x]*", "[a-cz-x], whose range is reversed: write x-z instead of z-x"),
    ("[]-A]*", "[]-A], whose range is reversed: write A-] instead of ]-A"),
    ("p[a-Z]*", "[a-Z], whose range is reversed: write a-zA-Z instead of a-Z"),
    ("p[c-M]*", "[c-M], whose range is reversed: write c-zA-M instead of c-M"),
]
POSIX = ", and sets have no POSIX classes: write the characters, as in [0-9] or [a-z]"
CLASSES = [("p[[:digit:]]*", "[:digit:]" + POSIX), ("day=[!a[:alpha:]]/*.parquet", "[:alpha:]" + POSIX),
           ("p[[.a.]]*", "[.a.]" + POSIX), ("p[[=a=]b]*", "[=a=]" + POSIX)]  # fmt: skip
STARS = "** beside other characters: write it between slashes, as in a/**/b, or write *"
MALFORMED = [*REVERSED, *CLASSES, ("a/**.parquet", STARS), ("data**/*.parquet", STARS), ("***", STARS)]


@pytest.mark.parametrize(("uri", "problem"), MALFORMED)
def test_malformed_globs_are_refused_when_applied(uri: str, problem: str) -> None:
    _, problems = parse_collection({"source": {"uri": uri}, "volume": "v"})
    assert [str(one) for one in problems] == [f"spec.source.uri: {uri!r}: uri contains {problem}"]


@pytest.mark.parametrize(("uri", "problem"), MALFORMED)
def test_malformed_globs_end_a_run_with_exit_code_2(pod: Pod, uri: str, problem: str) -> None:
    write(pod.volume / "part.parquet", VECTORS)
    assert refused(pod, {"uri": uri}) == f"{uri}: source.uri contains {problem}"


@pytest.mark.parametrize(("uri", "problem"), MALFORMED)
def test_malformed_globs_in_a_bucket(pod: Pod, bucket: Bucket, keys: Path, uri: str, problem: str) -> None:
    assert refused(pod, bucket.source(f"docs/{uri}")).endswith(f": source.uri contains {problem}")


def test_a_glob_may_be_longer_than_a_name(tmp_path: Path) -> None:
    """The file system refuses such a name, and the error once said that the volume was damaged."""
    write(tmp_path / f"{'a' * 80}.parquet", VECTORS)
    assert VolumeStore(tmp_path, "[abc]" * 80 + ".parquet").find() == [f"{'a' * 80}.parquet"]
    for uri in ("[abc]" * 81 + ".parquet", "b" * 300, "b" * 300 + "/*"):
        with pytest.raises(MisconfiguredError, match=r"no such file on the volume: check source\.uri"):
            VolumeStore(tmp_path, uri).find()


def test_a_file_of_that_very_name_is_no_glob(tmp_path: Path) -> None:
    write(tmp_path / "p[z-a].parquet", VECTORS)
    assert VolumeStore(tmp_path, "p[z-a].parquet").find() == ["p[z-a].parquet"]
    assert VolumeStore(tmp_path, "p[[]z-a].parquet").find() == ["p[z-a].parquet"]


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("part-[0-9.parquet", "its [ has no closing ] and is an ordinary character: close the set"),
        ("part-[", "its [ has no closing ] and is an ordinary character: close the set"),
        ("part-[]", "its [ has no closing ] and is an ordinary character: close the set"),
        ("part-[!]", "its [ has no closing ] and is an ordinary character: close the set"),
        ("part-[a/b]", "its [ has no closing ] and is an ordinary character: close the set"),
        ("part-{0,1}.parquet", "{a,b} is not supported in a glob: write [ab] for characters, or ** and filters"),
        (
            "docs\\*.parquet",
            "\\ is an ordinary character in a glob: write / between directories, and [*] for a character itself",
        ),
    ],
)  # fmt: skip
def test_what_may_be_meant_by_a_glob_without_matches(pod: Pod, uri: str, hint: str) -> None:
    write(pod.volume / "part-0.parquet", VECTORS)
    line = refused(pod, {"uri": uri})
    assert line.startswith(f"{uri}: no such file on the volume: check source.uri (")
    assert line.endswith(f"; {hint}")


@pytest.mark.parametrize("uri", ["d", "d/*.parquet"])
def test_links_without_a_target(tmp_path: Path, capsys: pytest.CaptureFixture[str], uri: str) -> None:
    """Tools that fetch large files on demand leave such links. The file was said to be removed while it was read."""
    (tmp_path / "d").mkdir()
    pq.write_table(table(VECTORS), tmp_path / "d/a.parquet")
    (tmp_path / "d/README").symlink_to("nowhere")
    (tmp_path / "d/LICENSE").symlink_to("LICENSE")
    os.mkfifo(tmp_path / "d/pipe")
    assert ParquetCollection("c", Source(uri=uri), VolumeStore(tmp_path, uri)).rows == len(VECTORS)
    assert main(["init", f"{tmp_path}/{uri}"]) == 0
    assert f"Found: {len(VECTORS)} documents" in capsys.readouterr().out
    (tmp_path / "d/b.parquet").symlink_to("../.git/annex/b")
    with pytest.raises(UnavailableError) as refused:
        ParquetCollection("c", Source(uri=uri), VolumeStore(tmp_path, uri))
    assert str(refused.value) == (
        "d/b.parquet: is a link to ../.git/annex/b, which does not exist: restore that file, or remove the link"
    )


@pytest.mark.parametrize("uri", ["a.parquet/*", "a.parquet/*.parquet", "a.parquet/**", "a.parquet/b", "a.parquet/b/*"])
def test_a_file_is_no_directory(pod: Pod, capsys: pytest.CaptureFixture[str], uri: str) -> None:
    write(pod.volume / "a.parquet", VECTORS)
    assert refused(pod, {"uri": uri}).startswith(f"{uri}: no such file on the volume: check source.uri")
    assert main(["init", f"{pod.volume}/{uri}"]) == 1
    assert f"{uri}: no such file or folder: check the path" in capsys.readouterr().err


LINKED = [
    ("docs", ["docs/link/x.parquet", "docs/y.parquet"]),
    ("docs/*/x.parquet", ["docs/link/x.parquet"]),
    ("docs/l*", ["docs/link/x.parquet"]),
    ("docs/link", ["docs/link/x.parquet"]),
    (".", ["docs/y.parquet", "store/v2/x.parquet"]),
    ("**/*.parquet", ["docs/y.parquet", "store/v2/x.parquet"]),
]


@pytest.mark.parametrize(("uri", "files"), LINKED, ids=str)
def test_links_to_directories(tmp_path: Path, capsys: pytest.CaptureFixture[str], uri: str, files: list[str]) -> None:
    """Their files were silently left out, although init counted them, some of them 40 times."""
    for name in ("docs/y.parquet", "store/v2/x.parquet"):
        (tmp_path / name).parent.mkdir(parents=True)
        pq.write_table(table(VECTORS), tmp_path / name)
    (tmp_path / "docs/link").symlink_to("../store/v2")
    (tmp_path / "docs/loop").symlink_to("..")
    (tmp_path / "docs/again.parquet").symlink_to("y.parquet")
    assert VolumeStore(tmp_path, uri).find() == files
    assert main(["init", f"{tmp_path}/{uri}"]) == 0
    assert f"Found: {len(VECTORS) * len(files)} documents" in capsys.readouterr().out


@pytest.mark.parametrize(("uri", "rows"), [("view", 2), ("view/*", 2), (".", 2)])
def test_one_file_in_several_partitions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], uri: str, rows: int
) -> None:
    """Stores by content link equal files. The documents of all partitions but one were left out."""
    (tmp_path / "blobs").mkdir()
    pq.write_table(table(VECTORS), tmp_path / "blobs/9f")
    for language in ("en", "fr"):
        (tmp_path / f"view/lang={language}").mkdir(parents=True)
        (tmp_path / f"view/lang={language}/x.parquet").symlink_to("../../blobs/9f")
    assert ParquetCollection("c", Source(uri=uri), VolumeStore(tmp_path, uri)).rows == rows * len(VECTORS)
    french = Source(uri=uri, filters=Filter(field="lang", operator="eq", value="fr"))
    assert ParquetCollection("c", french, VolumeStore(tmp_path, uri)).rows == len(VECTORS)
    assert main(["init", f"{tmp_path}/{uri}"]) == 0
    assert f"Found: {rows * len(VECTORS)} documents" in capsys.readouterr().out


@pytest.mark.parametrize("uri", ["docs", "docs/*", "docs/**", "docs/v*/"])
def test_links_to_directories_outside_of_the_volume(tmp_path: Path, uri: str) -> None:
    volume = tmp_path / "volume"
    (volume / "docs").mkdir(parents=True)
    pq.write_table(table(VECTORS), volume / "docs/y.parquet")
    (volume / "docs/v1.0").symlink_to(tmp_path)
    with pytest.raises(MisconfiguredError, match=r"^docs/v1\.0/: leads outside of the collection's volume"):
        VolumeStore(volume, uri).find()
    (volume / "docs/v1.0").rename(volume / "docs/_old")
    if uri != "docs/v*/":
        assert VolumeStore(volume, uri).find() == ["docs/y.parquet"]


@pytest.mark.timeout(60)
def test_named_pipes(tmp_path: Path) -> None:
    """The run waited for a writer until its timeout."""
    pq.write_table(table(VECTORS), tmp_path / "a.parquet")
    os.mkfifo(tmp_path / "pipe")
    assert ParquetCollection("c", Source(uri="."), VolumeStore(tmp_path, ".")).rows == len(VECTORS)
    os.mkfifo(tmp_path / "b.parquet")
    with pytest.raises(MisconfiguredError, match=r"^b\.parquet: not a regular file: remove it"):
        ParquetCollection("c", Source(uri="*.parquet"), VolumeStore(tmp_path, "*.parquet"))


def test_circles_of_links_and_names_that_no_file_has(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for uri in ("a", "a/*.parquet", "x\0y", "x" * 300):
        with pytest.raises(MisconfiguredError):
            VolumeStore(tmp_path, uri).find()


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("**", "a/b.parquet", True),
        ("a/**/b.parquet", "a/b.parquet", True),
        ("a/**/b.parquet", "a/c/d/b.parquet", True),
        ("a/**/b.parquet", "ab.parquet", False),
        ("**/x/**/b", "x/b", True),
        ("**/x/**/b", "a/x/c/x/b", True),
        ("**/x/**/b", "a/c/b", False),
        ("**/**/b", "b", True),
        ("**/a*c/*.p", "q/abbc/x.p", True),
        ("[^a].p", "b.p", True),
        ("[^a].p", "a.p", False),
        ("x[!a]y", "x/y", False),
        ("[]]", "]", True),
        ("[!]]", "a", True),
        ("[a-]", "-", True),
        ("[\\d]", "d", True),
        ("[\\d]", "5", False),
        ("[a&&b]", "&", True),
        ("[--a]", "a", True),
        ("*.p", "a\nb.p", True),
        ("{a,b}", "{a,b}", True),
        ("a.b", "axb", False),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert (compile_pattern(pattern).fullmatch(path) is not None) == matches


@given(st.text("ab*?[]!-^", max_size=12), st.text("ab-]^[", max_size=12))
def test_within_a_directory_like_pythons_own_globs(pattern: str, name: str) -> None:
    if glob_problem(pattern) is None and "[^" not in pattern and "**" not in pattern:
        assert (compile_pattern(pattern).fullmatch(name) is not None) == fnmatch.fnmatchcase(name, pattern)


@given(st.text())
def test_every_text_is_a_pattern_or_malformed(pattern: str) -> None:
    if glob_problem(pattern) is None:
        matcher(pattern)("a/b.parquet")


@pytest.mark.parametrize("pattern", ["*a" * 30 + "b", "**/a*/" * 15 + "b", "*?" * 30 + "b"])
def test_no_name_takes_long(pattern: str) -> None:
    began = time.process_time()
    assert compile_pattern(pattern).fullmatch("a" * 200 + "/a" * 20) is None
    assert compile_pattern(pattern).fullmatch("a" * 250) is None
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("name", "holds_rows"),
    [
        ("a.PARQUET", True),
        ("a.parquet.gzip", True),
        ("a.parquet.gz", True),
        ("a.snappy.parquet", True),
        ("a.Parquet.ZSTD", True),
        ("a.parq", True),
        ("a.parquet/part-0.parquet", True),
        ("a.parquet.tmp", False),
        ("a.parquet.crc", False),
        ("a.csv", False),
        ("_metadata", False),
        ("_common_metadata", False),
        ("_delta_log/a.parquet", False),
        (".a.parquet.crc", False),
    ],
)
def test_data_files(name: str, holds_rows: bool) -> None:
    assert is_data_file(name) == holds_rows


def test_files_without_a_suffix_belong_to_a_directory() -> None:
    found = data_files("t", ["t/000000_0", "t/_SUCCESS", "t/b.parquet", "t/lang=en/000001_0", "t/x.csv", "t/.hidden"])
    assert found.files == ["t/b.parquet"]
    assert found.unnamed == ["t/000000_0", "t/lang=en/000001_0"]


UNKNOWN = [
    "data.parq.zstd", "data.PARQUET.GZIP", "2024-01-01.0", "part-0000.c000", "000000_0.deflate", "a.b", "x.tar.parquet",
    "20240101_123456_00001_abcde-0b9e.v1", "data.parquet.0", "k=v.1/x.2", "template.3", "x.tmpl",
]  # fmt: skip
OTHERS = [
    "a.crc", "a.parquet.crc", "a.json", "a.JSON", "a.txt", "a.csv", "a.csv.gz", "a.json.zst", "a.avro", "a.orc",
    "a.tmp", "a.parquet.6eF5b5da", "a.parquet.tmp", "a.parquet.tmp.17", "a.inprogress", "a.parquet.inprogress.17",
    "a.tmp-17", "a.parquet.bak", "a.parquet~", ".a.b", "_a.b", "_t/a.b", ".t/a.b",
]  # fmt: skip


def test_files_with_an_unknown_suffix(pod: Pod, bucket: Bucket, keys: Path) -> None:
    """They were left out, without a note or an error."""
    for name in [*UNKNOWN, *OTHERS]:
        write(pod.volume / "t" / name, VECTORS)
        bucket.upload(f"t/{name}", pod.volume / "t" / name)
    for name in ("notes.0", "empty.1"):
        (pod.volume / "t" / name).write_text("no rows" if name == "notes.0" else "")
        bucket.upload(f"t/{name}", pod.volume / "t" / name)
    assert VolumeStore(pod.volume, "t").find() == sorted(f"t/{name}" for name in UNKNOWN)
    assert pod.run(pod.spec(KMEANS, {"uri": "t"})).num_documents == 10 * len(UNKNOWN)
    assert pod.run(pod.spec(KMEANS, bucket.source("t"))).num_documents == 10 * len(UNKNOWN)


def test_other_files_are_not_opened() -> None:
    """In a bucket, each would take a request."""
    found = data_files("", [*UNKNOWN, *OTHERS, "README"])
    assert [name for name in OTHERS if name in (*found.files, *found.unnamed)] == []
    opened: list[str] = []

    def begins(name: str) -> bytes:
        opened.append(name)
        return b""

    assert found.parquet(begins) == found.files
    assert sorted(opened) == found.unnamed == sorted({*UNKNOWN, "README"} - set(found.files))


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is a Parquet file is then unknown. Its directory was named."""
    write(tmp_path / "d/a.parquet", VECTORS)
    (tmp_path / "d/private.key").write_text("x")

    def denied(path: Path, *_: Any) -> Any:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(MisconfiguredError, match=r"^d/private\.key: permission denied for user "):
        VolumeStore(tmp_path, "d").find()


def test_a_glob_may_match_directories() -> None:
    """Spark writes a directory where others write a file."""
    paths = ["d/a.parquet/part-0.parquet", "d/a.parquet/_SUCCESS", "d/a.parquet/x=1/000_0", "d/b.parquet", "d/c.csv"]
    found = matching("d/*.parquet", paths)
    assert found.files == ["d/a.parquet/part-0.parquet", "d/b.parquet"]
    assert found.unnamed == ["d/a.parquet/x=1/000_0"]
    assert matching("d/*/", paths).files == ["d/a.parquet/part-0.parquet"]


LAYOUT = ["t/000000_0", "t/lang=en/000000_1", "t/UPPER.PARQUET", "t/pandas.parquet.gzip", "t/x.parquet/part-0.parquet"]


def lay_out(root: Path) -> None:
    for name in LAYOUT:
        write(root / name, VECTORS)
    (root / "t/README").write_text("no rows")
    (root / "t/_SUCCESS").touch()
    (root / "t/empty").touch()
    (root / "t/_metadata").write_bytes(b"PAR1")
    (root / "t/.part.parquet.crc").write_bytes(b"crc")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("t", LAYOUT),
        ("t/", LAYOUT),
        ("./t/*.parquet", ["t/x.parquet/part-0.parquet"]),
        ("t/lang=*", ["t/lang=en/000000_1"]),
        ("t/lang=*/", ["t/lang=en/000000_1"]),
        ("t/x.parquet", ["t/x.parquet/part-0.parquet"]),
        ("t/*.parquet*", ["t/pandas.parquet.gzip", "t/x.parquet/part-0.parquet"]),
    ],
)
def test_what_people_have_on_volumes(tmp_path: Path, uri: str, expected: list[str]) -> None:
    lay_out(tmp_path)
    assert VolumeStore(tmp_path, uri).find() == sorted(expected)


def test_a_name_that_is_a_malformed_glob(tmp_path: Path) -> None:
    """The Collection is rejected; a set finds the file."""
    write(tmp_path / "p[z-a].parquet", VECTORS)
    with pytest.raises(ValueError, match="whose range is reversed"):
        Source(uri="p[z-a].parquet")
    uri = Source(uri="p[[]z-a].parquet").uri
    assert VolumeStore(tmp_path, uri).find() == ["p[z-a].parquet"]


@pytest.mark.parametrize("uri", ["p[[.a]*", "p[[.]*", "p[.a.]*", "p[[=]=]*"])
def test_sets_with_dots(uri: str) -> None:
    assert glob_problem(uri) is None


def test_a_directory_without_parquet_files(pod: Pod, bucket: Bucket, keys: Path) -> None:
    """It said that there is no such file, although the directory exists."""
    (pod.volume / "d").mkdir()
    (pod.volume / "d/a.csv").write_text("id")
    (pod.volume / "d/_SUCCESS").touch()
    remedy = "no Parquet file in this directory: name the files *.parquet, or correct source.uri"
    assert refused(pod, {"uri": "d"}) == f"d: {remedy} (it holds _SUCCESS, a.csv)"
    (pod.volume / "e").mkdir()
    assert refused(pod, {"uri": "e/"}) == f"e/: {remedy} (it is empty)"
    bucket.upload("d/a.csv", pod.volume / "d/a.csv")
    assert refused(pod, bucket.source("d")).endswith(f"/d: {remedy}")


def test_names_that_are_no_text(pod: Pod) -> None:
    """Names on Linux can be any bytes, for example in Latin-1; the run ended with an internal error."""
    folder = os.fsencode(pod.volume) + b"/d/sp\xe4t=\xff"
    os.makedirs(folder)  # noqa: PTH103 - pathlib has no names of bytes
    write(pod.volume / "data.parquet", VECTORS)
    name = folder + b"/k\xfcche.parquet"
    os.rename(os.fsencode(pod.volume / "data.parquet"), name)  # noqa: PTH104
    source: dict[str, Any] = {"uri": "d", "text_column": "sp%E4t"}
    filters = {"field": "sp%E4t", "operator": "eq", "value": "%FF"}
    assert pod.run(pod.spec(KMEANS, source | {"filters": filters})).num_documents == 10
    with open(name, "ab") as file:  # noqa: PTH123
        file.write(b"x")
    with pytest.raises(MisconfiguredError) as raised:
        pod.run(pod.spec(KMEANS, source))
    result = failure(str(raised.value))
    assert result.error is not None
    assert result.error.startswith("d/sp\\udce4t=\\udcff/k\\udcfcche.parquet: damaged or unreadable: it ends")
    assert json.loads(result.to_message())["error"] == result.error
    assert "holds sp" in refused(pod, {"uri": "d/nowhere.parquet"})


def test_the_root_of_a_volume(tmp_path: Path) -> None:
    write(tmp_path / ".hidden.parquet", VECTORS)
    write(tmp_path / "000_0", VECTORS)
    assert VolumeStore(tmp_path, ".").find() == ["000_0"]
    assert VolumeStore(tmp_path, "./").find() == ["000_0"]


def test_what_people_have_in_buckets(pod: Pod, bucket: Bucket, keys: Path) -> None:
    lay_out(pod.volume)
    for file in (pod.volume / "t").rglob("*"):
        if file.is_file():
            bucket.upload(str(file.relative_to(pod.volume)), file)
    local = pod.run(pod.spec(KMEANS, {"uri": "t"}))
    assert local.num_documents == 50
    for uri in ("t", "t/"):
        remote = pod.run(pod.spec(KMEANS, bucket.source(uri)))
        assert remote.num_documents == 50
        assert remote.baseline
        assert local.baseline
        assert remote.baseline.sha256 == local.baseline.sha256
    assert pod.run(pod.spec(KMEANS, bucket.source("t/lang=*"))).num_documents == 10


def test_a_file_compressed_as_a_whole(pod: Pod) -> None:
    (pod.volume / "a.parquet.gz").write_bytes(b"\x1f\x8b" + bytes(200))
    assert refused(pod, {"uri": "a.parquet.gz"}).startswith("a.parquet.gz: not a Parquet file")


def test_empty_files_among_full_ones(pod: Pod) -> None:
    write(pod.volume / "d/a.parquet", VECTORS)
    pq.write_table(table(VECTORS).schema.empty_table(), pod.volume / "d/b.parquet")
    pq.write_table(table(VECTORS).schema.empty_table().select([]), pod.volume / "d/c.parquet")
    with pq.ParquetWriter(pod.volume / "d/e.parquet", table(VECTORS).schema) as writer:
        for rows in (0, 3, 0, 7):
            writer.write_table(table(VECTORS[:rows]).cast(writer.schema), row_group_size=5)
    assert pod.run(pod.spec(KMEANS, {"uri": "d"})).num_documents == 20


def refused(pod: Pod, source: dict[str, Any]) -> str:
    spec = pod.spec(KMEANS, {"uri": "x"})
    # As of an operator of another version: the model would refuse it before.
    [given_] = spec.collections
    changed = given_.model_copy(update={"source": Source.model_construct(**{**Source(uri="x").__dict__, **source})})
    if "://" in source["uri"]:
        changed = changed.model_copy(update={"mount_path": None})
    with pytest.raises(MisconfiguredError) as raised:
        pod.run(spec.model_copy(update={"collections": [changed]}))
    assert raised.value.exit_code is ExitCode.MISCONFIGURED
    return str(raised.value)
