"""Creates keys and certificates of one cluster with openssl.

Elliptic-curve keys take milliseconds where RSA keys take seconds, and tests start many clusters.
"""

from collections.abc import Sequence
from pathlib import Path

from harness.cluster.commands import run
from harness.cluster.files import write

DAYS = 3650

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(DAYS))
_USAGES = "digitalSignature"


class Authority:
    """The cluster's certificate authority, and the certificates that it signs.

    Everything is created once and then kept.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.certificate = directory / "ca.crt"
        self.key = directory / "ca.key"
        if not self.certificate.exists():
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature,keyCertSign,cRLSign"
            self._request("ca", ["-subj", "/CN=clustertrigger-ca"], extensions, signed=False)

    def client(self, name: str, user: str, groups: Sequence[str] = ()) -> tuple[Path, Path]:
        """Return (certificate, key) of a client that is USER and a member of GROUPS to the API server."""
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
        return self._leaf(name, subject, "extendedKeyUsage=clientAuth")

    def server(self, name: str, user: str, hosts: Sequence[str], groups: Sequence[str] = ()) -> tuple[Path, Path]:
        """Return (certificate, key) of a server reached under HOSTS (names or IP addresses)."""
        names = ",".join(f"{'IP' if host[0].isdigit() else 'DNS'}:{host}" for host in hosts)
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
        return self._leaf(name, subject, f"extendedKeyUsage=serverAuth\nsubjectAltName={names}")

    def token_key(self) -> Path:
        """Return the key that signs service-account tokens."""
        path = self._directory / "service-account.key"
        if not path.exists():
            # Not genpkey: the API server reads SEC1, not PKCS #8.
            pem = run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"])
            write(path, pem, 0o600)
        return path

    def _leaf(self, name: str, subject: str, usage: str) -> tuple[Path, Path]:
        certificate, key = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        if not certificate.exists():
            extensions = f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,{_USAGES}\n{usage}"
            self._request(name, ["-subj", subject], extensions, signed=True)
        return certificate, key

    def _request(self, name: str, subject: list[str], extensions: str, *, signed: bool) -> None:
        # openssl's own configuration file would add extensions of its choice.
        settings = f"[req]\ndistinguished_name=name\nx509_extensions=extensions\n[name]\n[extensions]\n{extensions}\n"
        config = write(self._directory / f"{name}.cnf", settings)
        issuer: list[str | Path] = ["-CA", self.certificate, "-CAkey", self.key] if signed else []
        certificate, key = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        draft = certificate.with_suffix(".draft")
        run(["openssl", "req", "-x509", *_KEY, "-config", config, *subject, *issuer, "-keyout", key, "-out", draft])
        draft.replace(certificate)  # The certificate is written last, so that its key exists whenever it does.
        config.unlink()
