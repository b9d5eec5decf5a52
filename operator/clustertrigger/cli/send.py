"""`kubectl clustertrigger send`: one CloudEvent, sent as the user."""

from __future__ import annotations

import argparse
import os
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clustertrigger.cli.cluster import Cluster, add_cluster_options, in_cluster
from clustertrigger.cli.command import CommandError, Commands, add_command
from clustertrigger.core.events.cloudevents import LARGEST_COUNT
from clustertrigger.core.instants import format_instant

if TYPE_CHECKING:
    from clustertrigger.cli.delivery import Receipt

URL_VARIABLE = "CLUSTERTRIGGER_EVENTS_URL"
_SOURCE = "/kubectl-clustertrigger"
_TOKEN_SECONDS = 600
_NOT_FOUND = 404
_PATIENCE = 60.0


def add_send(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "send",
        lambda options: in_cluster(options, lambda cluster: send(cluster, options)),
        summary="send an event, as a producer of documents would",
        about="Sends one CloudEvent to the triggers of a namespace that count its type and collection, with your own "
        "token. You must be allowed to create clustertriggers/events there. Without --url, the way to the operator "
        "is `kubectl port-forward` to its Service, for which you need rights in its namespace.",
        example="kubectl clustertrigger send -n search --type documents_added --collection col_products --count 100",
    )
    add_cluster_options(parser)
    parser.add_argument("--type", required=True, type=_text, help="event_type of the triggers, such as documents_added")
    parser.add_argument(
        "--collection", required=True, type=_text, metavar="ID", help="collection_id of the triggers' schedule_config"
    )
    parser.add_argument("--count", type=_count, default=1, metavar="N", help="documents it stands for (default: 1)")
    parser.add_argument(
        "--id",
        type=_text,
        help="of the event; the same id and source within ten minutes counts once (default: a new one)",
    )
    parser.add_argument(
        "--source", type=_text, default=_SOURCE, metavar="URI", help=f"of the event (default: {_SOURCE})"
    )
    parser.add_argument(
        "--url",
        type=_url,
        default=os.environ.get(URL_VARIABLE) or None,
        help=f"where the operator takes events in (default: {URL_VARIABLE}, or else a port-forward to its Service)",
    )
    parser.add_argument(
        "--certificate-authority", metavar="FILE", help="PEM of who signed the certificate of an https --url"
    )
    parser.add_argument(
        "--service", type=_service, metavar="NAMESPACE/NAME", help="the operator's Service (default: it is looked for)"
    )
    parser.add_argument(
        "--service-account",
        metavar="NAME",
        help="send as this service account of the namespace, with a token of ten minutes (default: as yourself)",
    )


async def send(cluster: Cluster, options: argparse.Namespace) -> int:
    """Send the event that the options describe, and print what became of it.

    Raises:
        CommandError: it was not counted; the line says why.
    """
    from clustertrigger.cli.delivery import deliver, direct
    from clustertrigger.cli.forwarding import find_service, forwarded

    token = await _token(cluster, options.service_account)
    if options.url:
        route = direct(options.url, options.certificate_authority)
    else:
        service = await find_service(cluster.api, options.service)
        route = forwarded(service, options.kubeconfig, options.context)
    event = cloud_event(options, datetime.now(UTC))
    receipt = await deliver(route, cluster.namespace, token, event, _PATIENCE)
    print(_outcome(receipt, event, cluster.namespace, options))
    return 0


def cloud_event(options: argparse.Namespace, now: datetime) -> dict[str, Any]:
    """The event in CloudEvents' JSON format."""
    return {
        "specversion": "1.0",
        "id": options.id or str(uuid.uuid4()),
        "source": options.source,
        "type": options.type,
        "subject": options.collection,
        "time": format_instant(now.replace(microsecond=0)),
        "datacontenttype": "application/json",
        "data": {"count": options.count},
    }


def _outcome(receipt: Receipt, event: dict[str, Any], namespace: str, options: argparse.Namespace) -> str:
    what = f"{options.type} for {options.collection} in {namespace}"
    if receipt.unmatched:
        raise CommandError(
            f"unmatched: no active or paused trigger counts {what}: "
            f"kubectl get clustertriggers -n {namespace} lists them with what they count"
        )
    if receipt.duplicates and not receipt.tried_again:
        return f"duplicate: the event {event['id']} of {event['source']} was counted before, and counts once"
    return f"accepted: {options.count} {what}"


async def _token(cluster: Cluster, service_account: str | None) -> str:
    from clustertrigger.shell.kube import paths
    from clustertrigger.shell.kube.api_server import ApiError

    if service_account is not None:
        path = paths.service_account_token(cluster.namespace, service_account)
        spec = {"expirationSeconds": _TOKEN_SECONDS}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        try:
            return str((await cluster.api.create(path, request))["status"]["token"])
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            raise CommandError(
                f"--service-account: {error}: name one of {cluster.namespace!r}, or another -n"
            ) from error
    authorization = await cluster.configuration.get_api_key_with_prefix("BearerToken")
    scheme, _, token = (authorization or "").partition(" ")
    if scheme != "Bearer" or not token:
        raise CommandError(
            "your kubeconfig holds no token, and a client certificate cannot be shown to the operator: name a "
            f"--service-account of the namespace {cluster.namespace!r} that may create clustertriggers/events"
        )
    return token


def _text(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_COUNT))):
        raise argparse.ArgumentTypeError(f"{text!r} is no count: write a number from 1 to {LARGEST_COUNT}")
    if not 1 <= int(text) <= LARGEST_COUNT:
        raise argparse.ArgumentTypeError(f"{text!r} is no count: write a number from 1 to {LARGEST_COUNT}")
    return int(text)


def _url(text: str) -> str:
    """Also takes what the chart's notes print, which goes on with the namespace."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise argparse.ArgumentTypeError(f"{text!r} is no URL: write it as https://events.example.com")
    return text.partition("/v1/namespaces")[0].rstrip("/")


def _service(text: str) -> tuple[str, str]:
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} is no Service: write it as NAMESPACE/NAME")
    return namespace, name
