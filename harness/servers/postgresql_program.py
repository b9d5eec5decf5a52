"""PostgreSQL 15 with pgvector, from Debian's packages, unpacked into the cache: nothing is installed or started there.

Debian 12 has no package of pgvector. The source package of the release after it is compiled against Debian 12's server:
ten seconds, once.
"""

import hashlib
import platform
import shutil
from pathlib import Path

from harness.cluster.commands import run
from harness.cluster.debian import packages
from harness.cluster.files import cache_directory, made_once
from harness.cluster.progress import stage

VERSION = "15"
IMAGE = f"pgvector/pgvector:pg{VERSION}"
"""What has both where there is Docker and no Debian 12."""
PGVECTOR_SUITE = "trixie"
LIBRARIES = (
    "libcom-err2", "libgssapi-krb5-2", "libicu72", "libk5crypto3", "libkeyutils1", "libkrb5-3", "libkrb5support0",
    "libldap-2.5-0", "libpq5", "libsasl2-2", "libxml2",
)  # fmt: skip
"""What the server's programs load and a minimal Debian may lack."""
_COMPILER = {"gcc": "g++", "dpkg-source": "dpkg-dev", "openssl": "openssl"}  # g++ brings the C library's headers too
_RECIPE = "1"  # raise it when the steps below change what comes out
_BIN, _LIB, _SHARE = (f"usr/{part}" for part in (f"lib/postgresql/{VERSION}/bin", f"lib/postgresql/{VERSION}/lib",
                                                f"share/postgresql/{VERSION}"))  # fmt: skip


class Program:
    """The programs below one root, which may be copied elsewhere: the server finds its files beside itself."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.libraries = [root / "usr/lib" / f"{platform.machine()}-linux-gnu"]

    def __getitem__(self, name: str) -> Path:
        return self.root / _BIN / name

    def copied(self, root: Path) -> "Program":
        """Copy it to where another user may read it; a cache below root's home is closed to all others."""
        shutil.copytree(self.root, root, symlinks=True)
        return Program(root)


def program() -> Program:
    """Return the program from the cache, after unpacking and compiling it if it does not exist.

    Raises:
        ClusterError: this is not Debian 12, or its mirror does not answer.
    """
    key = hashlib.sha256("\0".join([_RECIPE, VERSION, platform.machine(), PGVECTOR_SUITE, *LIBRARIES]).encode())
    finished = cache_directory() / f"postgresql-{VERSION}-{key.hexdigest()[:12]}"
    return Program(made_once(finished, "postgresql", "another build of PostgreSQL's extension to finish", _make))


def _make(draft: Path) -> None:
    packages.require_debian()
    with stage("fetching PostgreSQL from Debian and compiling pgvector, once"):
        packages.install_missing(_COMPILER)
        root = draft.parent / "root"
        packages.unpack([f"postgresql-{VERSION}", f"postgresql-server-dev-{VERSION}", *LIBRARIES], root)
        _compile(packages.unpack_source("pgvector", draft.parent, suite=PGVECTOR_SUITE), root)
        for part in (_BIN, _LIB, _SHARE, f"usr/lib/{platform.machine()}-linux-gnu"):
            shutil.copytree(root / part, draft / part, symlinks=True, ignore=shutil.ignore_patterns("bitcode", "pgxs"))


def _compile(source: Path, root: Path) -> None:
    headers = [f"-I{root}/usr/include/postgresql/{VERSION}/server", f"-I{root}/usr/include/postgresql"]
    library = root / _LIB / "vector.so"
    flags = ["-shared", "-fPIC", "-O2", "-fno-math-errno", "-ftree-vectorize"]
    run(["gcc", *flags, *headers, *sorted(source.glob("src/*.c")), "-o", library])
    control = (source / "vector.control").read_text()
    version = control.split("default_version = '")[1].split("'")[0]
    extensions = root / _SHARE / "extension"
    (extensions / "vector.control").write_text(control)
    shutil.copy(source / "sql/vector.sql", extensions / f"vector--{version}.sql")
