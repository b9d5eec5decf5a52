"""Cases of clouds as a run sees them: in a separate namespace, their host names are this machine, with the tests' CA.

test_cloud_identity.py runs them under `unshare --mount --net`, as `python -m tests.clusterworker.storage.clouds CASE
FOLDER`. AWS's STS, IAM and S3 are moto's, which checks the caller and the rights of its role. Google's token exchange
and storage are substitutes that record the requests.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import mock

import requests
from moto.server import ThreadedMotoServer

from clusterworker.process.errors import RunError
from tests.clusterworker.conftest import Pod
from tests.clusterworker.planted import planted, write
from tests.clusterworker.storage.s3_server import BUCKET, Bucket

STS, GOOGLE_STS = "sts.us-east-1.amazonaws.com", "sts.googleapis.com"
GOOGLE_IAM, GOOGLE_STORAGE = "iamcredentials.googleapis.com", "storage.googleapis.com"
HOSTS = (STS, GOOGLE_STS, GOOGLE_IAM, GOOGLE_STORAGE)
SYSTEM_CAS = Path("/etc/ssl/certs/ca-certificates.crt")
ROLE = "arn:aws:iam::123456789012:role/embeddings"
CONFIG = {"algorithm": "kmeans", "n_clusters": 3}


class Front(BaseHTTPRequestHandler):
    """TLS on port 443: AWS's token exchange is passed on to moto, and Google's is answered here."""

    protocol_version = "HTTP/1.1"
    moto = ""
    seen: list[dict[str, str]]

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def do_GET(self) -> None:
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        host = self.headers["Host"].removesuffix(":443")
        said = {"host": host, "path": self.path, "body": body.decode(), "by": self.headers.get("Authorization", "")}
        self.seen.append(said)
        if host == STS:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
            _check_who_asks(self.moto, yes=False)  # this request is unsigned, which moto does not support
            passed = requests.post(self.moto + self.path, data=body, headers=headers, timeout=60)
            _check_who_asks(self.moto, yes=True)
            self._send(passed.status_code, passed.content, passed.headers["Content-Type"])
        elif host == GOOGLE_STS:
            self._send_json(200, {"access_token": "federated", "token_type": "Bearer", "expires_in": 3600,
                                  "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"})  # fmt: skip
        elif host == GOOGLE_IAM:
            self._send_json(200, {"accessToken": "impersonated", "expireTime": "2099-01-01T00:00:00Z"})
        else:
            self._send_json(404, {"error": {"code": 404, "message": "No such object"}})

    def _send_json(self, status: int, answer: Any) -> None:
        self._send(status, json.dumps(answer).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def _host_names(folder: Path) -> None:
    """Mounts in this namespace of mounts only."""
    key, certificate, hosts = folder / "tls.key", folder / "tls.crt", folder / "hosts"
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=clouds",
         "-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    hosts.write_text(f"127.0.0.1 localhost {' '.join(HOSTS)}\n")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    subprocess.run(["mount", "--bind", certificate, SYSTEM_CAS], check=True)
    server = ThreadingHTTPServer(("127.0.0.1", 443), Front)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()


def _check_who_asks(moto: str, *, yes: bool) -> None:
    requests.post(f"{moto}/moto-api/reset-auth", data=b"0" if yes else b"inf", timeout=60).raise_for_status()


def _role(bucket: Bucket, actions: str) -> None:
    """A role with these actions, whose policy trusts everybody, because moto does not verify tokens."""
    import boto3

    iam = boto3.client("iam", endpoint_url=bucket.endpoint, region_name="us-east-1",
                       aws_access_key_id="admin", aws_secret_access_key="admin")  # fmt: skip
    trust = {"Version": "2012-10-17", "Statement": []}
    iam.create_role(RoleName="embeddings", AssumeRolePolicyDocument=json.dumps(trust))
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_role_policy(RoleName="embeddings", PolicyName="all", PolicyDocument=json.dumps(policy))


def main(case: str, folder: Path) -> None:
    """Runs one case, and writes its outcome into FOLDER/outcome.json."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=5000, verbose=False)
    moto.start()
    Front.moto, Front.seen = "http://127.0.0.1:5000", []
    _host_names(folder)
    pod = Pod(folder)
    for directory in (pod.volume, pod.results, pod.mounts.secrets, pod.mounts.scratch):
        directory.mkdir()
    token = folder / "token"
    token.write_text("a.token.of-the-cluster")
    if case.startswith("aws"):
        bucket = Bucket(Front.moto)
        bucket.upload("data.parquet", write(folder / "data.parquet", planted(90, 3).vectors))
        _role(bucket, "s3:*" if case == "aws" else "sqs:*")
        _check_who_asks(bucket.endpoint, yes=True)
        place = {"endpoint": bucket.endpoint, "region": "us-east-1"}
        spec = pod.spec(
            CONFIG, {"uri": f"s3://{BUCKET}/data.parquet", **place}, results={"uri": f"s3://{BUCKET}/results", **place}
        )
        variables = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_SESSION_NAME": "run"}
    else:
        spec = pod.spec(CONFIG, {"uri": "gs://vectors/data.parquet"})
        given = json.loads((folder / "credentials.json").read_text())
        given["credential_source"]["file"] = str(token)
        variables = {"CLUSTERWORKER_GOOGLE_CREDENTIALS": json.dumps(given)}
    outcome: dict[str, Any] = {}
    with mock.patch.dict(os.environ, variables):
        try:
            outcome["documents"] = pod.run(spec).num_documents
        except RunError as error:
            outcome["error"] = str(error)
    (folder / "outcome.json").write_text(json.dumps({**outcome, "seen": Front.seen}))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
