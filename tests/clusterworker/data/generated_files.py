"""Parquet files with all schemas that pyarrow can write, and the values that a reader must return."""

from __future__ import annotations

import json
import random
import struct
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import reject
from hypothesis import strategies as st

INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
FLOATS = [pa.float16(), pa.float32(), pa.float64()]
TEXTS = [pa.string(), pa.large_string(), pa.string_view()]
BYTES = [pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(16), pa.binary(3)]
DECIMALS = [
    pa.decimal32(5, 0),
    pa.decimal64(12, 3),
    pa.decimal128(9, 2),
    pa.decimal128(18, 0),
    pa.decimal128(38, 0),
    pa.decimal256(70, 2),
]
TIMES = [pa.date32(), pa.date64(), pa.time32("s"), pa.time64("us"), pa.time64("ns"), pa.timestamp("s"),
         pa.timestamp("ms", "UTC"), pa.timestamp("us", "Europe/Berlin"), pa.timestamp("ns"), pa.duration("ns"),
         pa.duration("s")]  # fmt: skip
EXTENSIONS = [pa.uuid(), pa.json_(), pa.bool8()]
SCALARS = [pa.null(), pa.bool_(), *INTEGERS, *FLOATS, *TEXTS, *BYTES, *DECIMALS, *TIMES, *EXTENSIONS]
NUMBERS = [*INTEGERS, *FLOATS, *DECIMALS]
VECTOR_UDT = pa.struct([("type", pa.int8()), ("size", pa.int32()), ("indices", pa.list_(pa.int32())),
                        ("values", pa.list_(pa.float64()))])  # fmt: skip
IDENTIFYING = [*INTEGERS, *TEXTS, *BYTES, *DECIMALS, pa.uuid(), pa.dictionary(pa.int8(), pa.string()),
               pa.dictionary(pa.int32(), pa.int64()), pa.dictionary(pa.int16(), pa.large_string())]  # fmt: skip

scalars = st.sampled_from(SCALARS)
dictionaries = st.builds(
    pa.dictionary, st.sampled_from([pa.int8(), pa.int32()]), st.sampled_from([*TEXTS, *INTEGERS, *FLOATS, *DECIMALS])
)


def lists_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kinds = [pa.list_, pa.large_list, pa.list_view, pa.large_list_view, lambda kind: pa.list_(kind, 4)]
    return st.builds(lambda make, kind: make(kind), st.sampled_from(kinds), values)


def structs_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.lists(values, min_size=1, max_size=2)
    return fields.map(lambda kinds: pa.struct([(f"f{number}", kind) for number, kind in enumerate(kinds)]))


types = st.recursive(
    scalars | dictionaries | st.just(VECTOR_UDT),
    lambda inner: lists_of(inner) | inner.map(lambda kind: pa.map_(pa.string(), kind)) | structs_of(inner),
    max_leaves=3,
)
tensors = st.builds(pa.fixed_shape_tensor, st.sampled_from([*FLOATS, pa.int8()]), st.sampled_from([[4], [2, 2]]))
vector_types = (
    lists_of(st.sampled_from([*NUMBERS, pa.null(), pa.bool_(), pa.bool8()]) | dictionaries)
    | st.sampled_from([*TEXTS, pa.binary(), pa.json_(), VECTOR_UDT])
    | tensors
)
mostly = st.sampled_from([True] * 7 + [False])
names = st.sampled_from(["document_id", "embedding", "text", "f", "a.b", "f.x", "é", " ", "lang"])


@dataclass
class GeneratedFile:
    """A file, and its parameters."""

    content: bytes
    table: Any
    options: dict[str, Any]
    damage: str | None = None
    notes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"GeneratedFile({self.table.schema}, rows={self.table.num_rows}, {self.options}, damage={self.damage})"


@st.composite
def generated_files(draw: st.DrawFn) -> GeneratedFile:
    """A file that usually has the columns that a collection needs, and usually with suitable types."""
    rows = draw(st.integers(0, 12))
    rng = random.Random(draw(st.integers(0, 2**32)))
    nulls = draw(st.sampled_from([0.0] * 7 + [0.2, 0.2, 1.0]))
    ragged = draw(st.sampled_from([False] * 7 + [True]))
    columns: list[tuple[str, Any]] = [
        ("document_id", draw(st.sampled_from(IDENTIFYING) if draw(mostly) else types)),
        ("embedding", draw(vector_types if draw(mostly) else types)),
        ("text", draw(types)),
        ("f", draw(types)),
    ]
    columns += draw(st.lists(st.tuples(names, types), max_size=2))
    columns = draw(st.permutations(columns))[: draw(st.sampled_from([len(columns)] * 9 + [len(columns) - 1]))]
    try:
        arrays = [column(kind, rows, rng, nulls, vector=name == "embedding", ragged=ragged) for name, kind in columns]
        table = pa.Table.from_arrays(arrays, names=[name for name, _ in columns])
        table.validate(full=True)
    except pa.ArrowException:
        reject()  # pyarrow has no such arrays
    options = {
        "row_group_size": draw(st.sampled_from([1, 3, 100])),
        "compression": draw(st.sampled_from(["none", "snappy", "gzip", "zstd", "lz4", "brotli"])),
        "use_dictionary": draw(st.booleans()),
        "write_statistics": draw(st.booleans()),
        "data_page_version": draw(st.sampled_from(["1.0", "2.0"])),
        "store_schema": draw(st.booleans()),
        "version": draw(st.sampled_from(["1.0", "2.4", "2.6"])),
    }
    sink = BytesIO()
    try:
        pq.write_table(table, sink, **options)
    except (pa.ArrowException, OSError):
        reject()  # pyarrow writes no such file
    content = sink.getvalue()
    damage = draw(st.sampled_from([None] * 12 + ["cut", "flipped"]))
    return GeneratedFile(damaged(content, damage, rng), table, options, damage)


def damaged(content: bytes, damage: str | None, rng: random.Random) -> bytes:
    if damage == "cut":
        return content[: rng.randrange(len(content))]
    if damage == "flipped":
        spoiled = bytearray(content)
        for _ in range(rng.randint(1, 8)):
            spoiled[rng.randrange(4, len(spoiled))] ^= 1 << rng.randrange(8)
        return bytes(spoiled)
    return content


def column(kind: Any, rows: int, rng: random.Random, nulls: float, *, vector: bool, ragged: bool) -> Any:
    """An array of this type, or a chunked one."""
    values = [
        None if rng.random() < nulls else value(kind, rng, nulls, vector=vector, ragged=ragged) for _ in range(rows)
    ]
    cut = rng.randrange(rows + 1)
    return pa.chunked_array([array(values[:cut], kind), array(values[cut:], kind)], kind)


def array(values: list[Any], kind: Any) -> Any:
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, array(values, kind.storage_type))
    if pa.types.is_dictionary(kind):
        own: list[Any] = []  # some with nulls in the dictionary, or with a value twice
        for one in values:
            if len(own) < 100 and (one is None or len(own) % 2 or one not in own):
                own.append(one)
        places = [None if one is None and len(own) % 3 else _place(one, own) for one in values]
        return pa.DictionaryArray.from_arrays(pa.array(places, kind.index_type), array(own, kind.value_type))
    if is_list(kind) and (pa.types.is_nested(kind.value_type) or not _is_simple(kind.value_type)):
        flat = array([inner for one in values for inner in (_filled(one, kind))], kind.value_type)
        if pa.types.is_fixed_size_list(kind):
            return pa.FixedSizeListArray.from_arrays(
                flat, type=kind, mask=pa.array([one is None for one in values], pa.bool_())
            )
        ends = np.cumsum([0, *(len(one or []) for one in values)]).tolist()
        offsets = [None if one is None else end for one, end in zip(values, ends, strict=False)] + [ends[-1]]
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat).cast(kind)
    return pa.array(values, kind)


def is_list(kind: Any) -> bool:
    types_ = pa.types
    return bool(
        types_.is_list(kind) or types_.is_large_list(kind) or types_.is_fixed_size_list(kind)
        or types_.is_list_view(kind) or types_.is_large_list_view(kind)
    )  # fmt: skip


def _filled(one: list[Any] | None, kind: Any) -> list[Any]:
    return [None] * kind.list_size if one is None and pa.types.is_fixed_size_list(kind) else one or []


def _is_simple(kind: Any) -> bool:
    return not (isinstance(kind, pa.BaseExtensionType) or pa.types.is_dictionary(kind))


def _place(one: Any, own: list[Any]) -> int:
    return next((place for place, other in enumerate(own) if other is one or other == one), 0)


def value(kind: Any, rng: random.Random, nulls: float, *, vector: bool = False, ragged: bool = False) -> Any:  # noqa: C901
    """A value of this type, often an unusual one."""
    types_ = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        if isinstance(kind, pa.UuidType):
            return uuid.UUID(int=rng.getrandbits(128)).bytes
        return value(kind.storage_type, rng, nulls, vector=vector or isinstance(kind, pa.JsonType), ragged=ragged)
    if types_.is_dictionary(kind):
        return value(kind.value_type, rng, nulls)
    if types_.is_null(kind):
        return None
    if types_.is_boolean(kind):
        return rng.random() < 0.5
    if types_.is_integer(kind):
        low, high = (
            (0, 2**kind.bit_width - 1)
            if types_.is_unsigned_integer(kind)
            else (-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1)
        )
        return rng.choice([low, high, rng.randint(low, high), rng.randint(0, 100)])
    if types_.is_floating(kind):
        odd = [float("nan"), float("inf"), 0.0, 1e-40, 6e4] if nulls else []
        number = rng.choice([*odd, rng.uniform(-1, 1), rng.uniform(-1, 1)])
        return np.float16(number) if types_.is_float16(kind) else number
    if types_.is_decimal(kind):
        digits = rng.randint(0, 10 ** min(kind.precision, 30) - 1)
        return Decimal(digits).scaleb(-kind.scale) * rng.choice([1, -1])
    if types_.is_string(kind) or types_.is_large_string(kind) or types_.is_string_view(kind):
        return text(rng, vector=vector, ragged=ragged)
    if types_.is_fixed_size_binary(kind):
        return bytes(rng.choice([rng.randrange(256), 97]) for _ in range(kind.byte_width))
    if types_.is_binary(kind) or types_.is_large_binary(kind) or types_.is_binary_view(kind):
        made = text(rng, vector=vector, ragged=ragged).encode()
        return made if not nulls else rng.choice([made, b"\xff\xfe", struct.pack("<4f", *[rng.random()] * 4)])
    if types_.is_temporal(kind):
        return moment(kind, rng)
    if types_.is_map(kind):
        return [(f"k{n}", value(kind.item_type, rng, nulls)) for n in range(rng.randrange(3))]
    if kind == VECTOR_UDT:
        return spark_vector(rng, odd=bool(nulls), ragged=ragged)
    if types_.is_struct(kind):
        return {one.name: value(one.type, rng, nulls) for one in kind}
    length = kind.list_size if types_.is_fixed_size_list(kind) else rng.randrange(6) if ragged else 4
    return [None if rng.random() < nulls / 4 else value(kind.value_type, rng, nulls) for _ in range(length)]


def text(rng: random.Random, *, vector: bool, ragged: bool) -> str:
    odd = [
        "",
        "naïve ☕",
        "x" * 40,
        "null",
        "[1, [2]]",
        "[true]",
        "{}",
        "[1e999, 1, 1, 1]",
        "[" * 2000,
        "\0",
        "[NaN, 1, 1, 1]",
    ]
    if vector and rng.random() < (0.5 if ragged else 0.98):
        return json.dumps([rng.choice([rng.uniform(-1, 1), rng.randint(-9, 9)]) for _ in range(4)])
    return rng.choice([*odd, f"doc-{rng.randrange(1000)}"])


def spark_vector(rng: random.Random, *, odd: bool, ragged: bool) -> dict[str, Any]:
    length = rng.randrange(1, 6) if ragged else 4
    if rng.random() < 0.5:
        return {"type": 1, "size": None, "indices": None, "values": [rng.uniform(-1, 1) for _ in range(length)]}
    at = sorted(rng.sample(range(length), rng.randrange(length + 1)))
    if odd:
        return rng.choice(
            [
                {"type": 7, "size": 4, "indices": at, "values": [1.0] * len(at)},
                {"type": 0, "size": 4, "indices": [9, -1], "values": [1.0, 2.0]},
                {"type": 0, "size": None, "indices": at, "values": [1.0] * len(at)},
                {"type": 0, "size": 4, "indices": None, "values": None},
                {"type": 1, "size": None, "indices": None, "values": None},
                {"type": 0, "size": 4, "indices": [0, 1], "values": [1.0]},
                {"type": 0, "size": 2**31 - 1, "indices": [0], "values": [1.0]},
                {"type": 0, "size": -1, "indices": [], "values": []},
                {"type": None, "size": 4, "indices": at, "values": [None] * len(at)},
            ]
        )
    return {"type": 0, "size": length, "indices": at, "values": [rng.uniform(-1, 1) for _ in at]}


def moment(kind: Any, rng: random.Random) -> Any:
    at = datetime(2026, 11, 22, 8, 30, tzinfo=UTC) + timedelta(seconds=rng.randint(-(10**9), 10**9))
    if pa.types.is_date(kind):
        return rng.choice([at.date(), date(1, 1, 1), date(9999, 12, 31)])
    if pa.types.is_time(kind):
        return (
            time(rng.randrange(24), rng.randrange(60)) if str(kind) != "time64[ns]" else rng.randrange(86_400 * 10**9)
        )
    if pa.types.is_duration(kind):
        return rng.randint(-(2**62), 2**62) if kind.unit == "ns" else rng.choice([1, 2**62])
    if kind.unit == "ns":
        return rng.randint(-(2**62), 2**62)
    return rng.choice([at if kind.tz else at.replace(tzinfo=None), int(rng.uniform(-(2**50), 2**50))])


def expected_ids(column_: Any) -> list[Any]:
    """The column's values as strings or integers, from Python's own values."""
    found: list[Any] = []
    for one in column_.to_pylist():
        match one:
            case bytes() if len(one) == 16 and pa.types.is_fixed_size_binary(column_.type):
                found.append(str(uuid.UUID(bytes=one)))
            case bytes():
                found.append(one.decode())
            case int() | str():
                found.append(one)
            case _:
                found.append(str(one))
    return found


def expected_vector(given: Any) -> list[float]:
    """A vector's numbers, from Python's own value."""
    if isinstance(given, str | bytes):
        given = json.loads(given)
    if isinstance(given, dict):
        if given["type"] == 1:
            return [float(number) for number in given["values"]]
        dense = [0.0] * given["size"]
        for index, number in zip(given["indices"], given["values"], strict=True):
            dense[index] = number
        return dense
    return [float(number) for number in np.asarray(given, object).ravel()]
