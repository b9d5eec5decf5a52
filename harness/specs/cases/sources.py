"""Cases of Collections: where their documents are, filters, and outputs."""

from __future__ import annotations

from typing import Any

from codegen.crd import COLLECTION
from harness.specs.case import Accepted, Refused
from harness.specs.valid import ABSENT, collection, database, qdrant

_MALFORMED = "uri contains ** beside other characters: write it between slashes, as in a/**/b, or write *"

REFUSED = [
    *(
        Refused(f"source {uri}", collection({"source.uri": uri}), "spec.source.uri", says, COLLECTION)
        for uri, says in [
            ("/etc/passwd", "must be relative to the volume's root: remove the leading / and any .."),
            ("a/../../b", "must be relative to the volume's root: remove the leading / and any .."),
        ]
    ),
    *(
        Refused(
            f"source {uri}",
            collection({"source.uri": uri, "volume": ABSENT}),
            "spec.source.uri",
            "must be a path on the volume, s3://bucket/key or gs://bucket/key with type parquet",
            COLLECTION,
        )
        for uri in ("hdfs://name/key", "postgresql://db/shop")
    ),
    Refused(
        "source without bucket",
        collection({"source.uri": "s3://", "volume": ABSENT}),
        "spec.source.uri",
        "uri does not name a bucket: write s3://bucket/key or gs://bucket/key",
        COLLECTION,
    ),
    *(
        Refused(f"source {uri}", collection({"source.uri": uri}), "spec.source.uri", _MALFORMED, COLLECTION)
        for uri in ("a/**.parquet", "a**", "***/a.parquet", "**b/*.parquet")
    ),
    *(
        Refused(
            f"source {uri}",
            collection({"source.uri": uri, "volume": ABSENT}),
            "spec.source.uri",
            "uri does not name a bucket: write s3://bucket/key or gs://bucket/key",
            COLLECTION,
        )
        for uri in ("s3://vec*/a.parquet", "gs://*", "s3://vectors-[0-9]/a.parquet", "s3://?/a.parquet")
    ),
    *(
        Refused(
            f"path with {field}",
            collection({f"source.{field}": value}),
            f"spec.source.{field}",
            f"{field} is valid only with {owner}: remove it",
            COLLECTION,
        )
        for field, value, owner in [
            ("secret_name", "reader", "an address"),
            ("endpoint", "https://minio", "s3:// and gs://"),
            ("region", "eu-central-1", "s3://"),
            ("table", "documents", "type postgresql"),
            ("collection", "documents", "type qdrant"),
        ]
    ),
    *(
        Refused(
            f"PostgreSQL at {uri}",
            database({"uri": uri}),
            "spec.source.uri",
            "uri must be postgresql://host:port/database",
            COLLECTION,
        )
        for uri in (
            "postgresql://",
            "postgresql://db",
            "postgresql://ada:secret@db/shop",
            "postgres://db/shop",
            "postgresql://db:port/shop",
            "postgresql://db/shop?password=secret",
            "postgresql://db/shop?sslmode=maybe",
        )
    ),
    *(
        Refused(
            f"Qdrant at {uri}",
            qdrant({"uri": uri}),
            "spec.source.uri",
            "uri must be the address of Qdrant's HTTP API, http(s)://host:port",
            COLLECTION,
        )
        for uri in ("http://", "http://key@qdrant:6333", "https://qdrant:6333/?api-key=secret")
    ),
    *(
        Refused(
            f"{name} without {field}",
            make({field: ABSENT}),
            f"spec.source.{field}",
            f"{field} is required with type {name}: set it",
            COLLECTION,
        )
        for name, field, make in [
            ("postgresql", "table", database),
            ("postgresql", "secret_name", database),
            ("qdrant", "collection", qdrant),
        ]
    ),
    *(
        Refused(
            f"{name} with {field}",
            make({field: value}),
            f"spec.source.{field}",
            f"{field} is valid only with {owner}: remove it",
            COLLECTION,
        )
        for name, field, value, owner, make in [
            ("postgresql", "endpoint", "https://db", "s3:// and gs://", database),
            ("postgresql", "collection", "documents", "type qdrant", database),
            ("qdrant", "region", "eu-central-1", "s3://", qdrant),
            ("qdrant", "table", "documents", "type postgresql", qdrant),
        ]
    ),
    *(
        Refused(
            name,
            collection(changes),
            "spec.volume",
            "volume is the claim that contains the path source.uri: set volume if uri is a path",
            COLLECTION,
        )
        for name, changes in [
            ("path without volume", dict[str, Any](volume=ABSENT)),
            ("S3 with volume", {"source.uri": "s3://bucket/key"}),
        ]
    ),
    Refused(
        "PostgreSQL, write without a Secret",
        {**database({}), "write": {"table": "labels"}},
        "spec.write.secret_name",
        "write.secret_name is required with type postgresql: set it",
        COLLECTION,
        python_field="spec",
    ),
    Refused(
        "a volume with a Secret for writing",
        collection({"source.uri": "labels/", "write": {"secret_name": "writer"}}),
        "spec.write.secret_name",
        "write.secret_name is valid only if uri is an address: remove it",
        COLLECTION,
        python_field="spec",
    ),
    Refused(
        "a table of their own in Qdrant",
        {**qdrant({}), "write": {"table": "labels"}},
        "spec.write.table",
        "write.table is valid only with type postgresql: remove it",
        COLLECTION,
        python_field="spec",
    ),
    Refused(
        "a glob that is written",
        collection({"write": {}}),
        "spec.source.uri",
        "uri must not contain wildcards if write is set",
        COLLECTION,
        python_field="spec",
    ),
    Refused("unknown source", collection({"source.type": "csv"}), "spec.source.type", "csv", COLLECTION,
            rule=False),
    Refused("odd endpoint", collection({"volume": ABSENT, "source": {"uri": "s3://b/k", "endpoint": "minio:9000"}}),
            "spec.source.endpoint", "minio:9000", COLLECTION, rule=False),
]  # fmt: skip

ACCEPTED = [
    Accepted("collection on a volume", collection({"source.text_column": "title"}), COLLECTION),
    Accepted("collection in S3", collection({"volume": ABSENT, "source": {
        "uri": "s3://bucket/key", "secret_name": "reader", "endpoint": "https://s3.example", "region": "x",
    }}), COLLECTION),
    Accepted("collection in Google Cloud Storage", collection({"volume": ABSENT, "source": {
        "type": "parquet", "uri": "gs://bucket/key", "secret_name": "reader", "endpoint": "https://storage.example",
    }}), COLLECTION),
    Accepted("collection in PostgreSQL", database({"document_id_column": "id", "vector_column": "vector"}), COLLECTION),
    Accepted("PostgreSQL without a port, over TLS",
             database({"uri": "postgresql://db.example/shop?sslmode=verify-full"}), COLLECTION),
    Accepted("PostgreSQL by IPv6", database({"uri": "postgresql://[::1]:5432/shop"}), COLLECTION),
    Accepted("collection in Qdrant", qdrant({"secret_name": "qdrant", "vector_column": "text"}), COLLECTION),
    Accepted("Qdrant behind a path", qdrant({"uri": "https://example.org/qdrant/"}), COLLECTION),
    Accepted("PostgreSQL that is written", {**database({}), "write": {"secret_name": "writer"}}, COLLECTION),
    Accepted("PostgreSQL with a table of their own",
             {**database({}), "write": {"secret_name": "writer", "table": "public.labels"}}, COLLECTION),
    Accepted("Qdrant that is written", {**qdrant({}), "write": {"secret_name": "writer"}}, COLLECTION),
    Accepted("a volume that is written", collection({"source.uri": "labels/", "write": {}}), COLLECTION),
    Accepted("S3 that is written", collection({"volume": ABSENT, "source": {"uri": "s3://bucket/labels/"},
                                               "write": {"secret_name": "writer"}}), COLLECTION),
    Accepted("filters", collection({"source.filters": {
        "AND": [{"field": "language", "operator": "eq", "value": "en"},
                {"field": "year", "operator": "gte", "value": 2020}],
        "NOT": [{"OR": [{"field": "draft", "operator": "eq", "value": True},
                        {"field": "tag", "operator": "in", "value": ["x", "y"]}]}],
    }}), COLLECTION),
    Accepted("two dots inside a name", collection({"source.uri": "v1..2/a.parquet"}), COLLECTION),
]  # fmt: skip
