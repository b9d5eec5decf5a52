"""Runs inside a Pod of the worker's image: writes a file of a run's results to standard output, compressed.

Its argument is JSON: `uri` of the file, a path or s3://bucket/key, and for s3 `secret` (a folder with the keys as
files), `endpoint` and `region`. It is sent as text, so it imports nothing of this project. The checksum of gzip shows
whether the file arrived completely.

Exit codes: 3 the file does not exist, 1 it cannot be read.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_MISSING = 3


def main() -> int:
    """Writes the file to standard output."""
    place: dict[str, str | None] = json.loads(sys.argv[1])
    try:
        with open_file(place) as source, gzip.GzipFile(fileobj=sys.stdout.buffer, mode="wb", mtime=0) as target:
            shutil.copyfileobj(source, target)
    except FileNotFoundError:
        sys.stderr.write(f"{place['uri']} does not exist\n")
        return _MISSING
    except OSError as error:
        sys.stderr.write(f"{place['uri']}: {' '.join(str(error).split())[:300]}\n")
        return 1
    return 0


def open_file(place: dict[str, str | None]) -> Any:
    """Opens the file for reading."""
    uri = str(place["uri"])
    if not uri.startswith("s3://"):
        return Path(uri).open("rb")
    from pyarrow import fs

    path = uri.removeprefix("s3://")
    options: dict[str, Any] = {"connect_timeout": 5, "request_timeout": 30}
    if folder := place.get("secret"):
        for name, option in (
            ("AWS_ACCESS_KEY_ID", "access_key"),
            ("AWS_SECRET_ACCESS_KEY", "secret_key"),
            ("AWS_SESSION_TOKEN", "session_token"),
        ):
            file = Path(folder) / name
            if file.exists():
                options[option] = file.read_text().strip()
    else:
        options["anonymous"] = True
    endpoint = place.get("endpoint")
    if endpoint:
        address = urlsplit(endpoint)
        options["endpoint_override"], options["scheme"] = address.netloc + address.path.rstrip("/"), address.scheme
    region = place.get("region")
    options["region"] = region or ("us-east-1" if endpoint else fs.resolve_s3_region(path.partition("/")[0]))
    return fs.S3FileSystem(**options).open_input_stream(path)


if __name__ == "__main__":
    sys.exit(main())
