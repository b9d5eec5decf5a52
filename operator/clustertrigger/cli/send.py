"""`kubectl clustertrigger send`: sends one CloudEvent, as the user or as a ServiceAccount."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from clustertrigger.cli.cluster import Cluster
from clustertrigger.cli.command import PROG, add_command, on_cluster
from clustertrigger.cli.kube import paths
from clustertrigger.cli.parameters import EVENTS, SERVICE, TEXT, URL
from clustertrigger.cli.scope import CommandError
from clustertrigger.cli.terminal import say, warn
from clustertrigger.core.instants import format_instant
from clustertrigger.core.kube.answers import ApiError

if TYPE_CHECKING:
    from clustertrigger.cli.delivery import Receipt

URL_VARIABLE = "CLUSTERTRIGGER_EVENTS_URL"
SENDER = "clustertrigger-sender"
"""ServiceAccount whose token is used if the kubeconfig has no token."""
_SENDER_ROLE = "clustertrigger-event-sender"
"""The ClusterRole of the chart, under its usual name."""
_SOURCE = "/kubectl-clustertrigger"
_TOKEN_SECONDS = 600
_PATIENCE = 60.0


@dataclass(frozen=True)
class SendOptions:
    """The event, and how to send it.

    Attributes:
        type: event_type of the triggers that count it.
        collection: collection_id of their schedule_config.
        count: Number of documents that the event represents.
        id: ID of the event; None for a new one.
        source: Source of the event.
        url: URL at which the operator receives events; None for its Service.
        certificate_authority: PEM file for an https URL.
        service: Namespace and name of the operator's Service; None to search for it.
        service_account: ServiceAccount whose token is used; None for the user's own token.
    """

    type: str
    collection: str
    count: int = 1
    id: str | None = None
    source: str = _SOURCE
    url: str | None = None
    certificate_authority: str | None = None
    service: tuple[str, str] | None = None
    service_account: str | None = None


def add_send(group: click.Group) -> None:
    """Declares the command."""

    @add_command(
        group,
        "send",
        section="Act",
        examples=[f"{PROG} send -n search --type documents_added --collection col_products --count 100"],
    )
    @on_cluster
    @click.option(
        "--type", required=True, type=TEXT, metavar="TYPE", help="event_type of the triggers, such as documents_added."
    )
    @click.option(
        "--collection", required=True, type=TEXT, metavar="ID", help="collection_id of the triggers' schedule_config."
    )
    @click.option(
        "--count",
        type=EVENTS,
        default=1,
        metavar="N",
        help="Number of documents that the event represents. Default: 1.",
    )
    @click.option(
        "--id",
        type=TEXT,
        metavar="ID",
        help="ID of the event. Events with the same ID and source within ten minutes count once. Default: a new ID.",
    )
    @click.option(
        "--source",
        type=TEXT,
        default=_SOURCE,
        metavar="URI",
        help=f"URI that identifies the sender. Default: {_SOURCE}.",
    )
    @click.option(
        "--url",
        type=URL,
        envvar=URL_VARIABLE,
        help=f"URL at which the operator receives events. Default: {URL_VARIABLE}, or else a forwarded port of "
        "its Service.",
    )
    @click.option(
        "--certificate-authority",
        metavar="FILE",
        help="PEM file of the certificate authority that signed the certificate of an https --url.",
    )
    @click.option(
        "--service",
        type=SERVICE,
        metavar="NAMESPACE/NAME",
        help="The operator's Service. Default: found by its labels.",
    )
    @click.option(
        "--service-account",
        metavar="NAME",
        help="ServiceAccount to send as. Default: yourself, or "
        f"{SENDER} if your kubeconfig has a client certificate and no token.",
    )
    async def command(cluster: Cluster, **options: Any) -> int:
        """Send an event, as a producer of documents does.

        Sends one CloudEvent to the triggers of a namespace that count its type and collection. The operator checks the
        sender's token: the sender must be allowed to create clustertriggers/events in that namespace.

        A client certificate, which kind and kubeadm put into the kubeconfig, cannot authenticate the sender to the
        operator. The command then asks the API server for a token of a ServiceAccount, which is valid for ten minutes.

        Without --url, the event goes through `kubectl port-forward` to the operator's Service, for which you need
        rights in the operator's namespace.
        """
        return await send(cluster, SendOptions(**options))


async def send(cluster: Cluster, options: SendOptions) -> int:
    """Sends an event, and prints the result.

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
        route = forwarded(service, cluster.scope)
    event = cloud_event(options, datetime.now(UTC))
    receipt = await deliver(route, cluster.namespace, token, event, _PATIENCE)
    say(_outcome(receipt, event, cluster.namespace, options))
    return 0


def cloud_event(options: SendOptions, now: datetime) -> dict[str, Any]:
    """Returns the event in CloudEvents' JSON format."""
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


def how_to_make_sender(namespace: str, account: str) -> list[str]:
    """Returns the two kubectl commands that create a ServiceAccount which may send events in a namespace."""
    return [
        f"kubectl create serviceaccount {account} -n {namespace}",
        f"kubectl create rolebinding {account} -n {namespace} --clusterrole={_SENDER_ROLE} "
        f"--serviceaccount={namespace}:{account}",
    ]


def _outcome(receipt: Receipt, event: dict[str, Any], namespace: str, options: SendOptions) -> str:
    what = f"{options.type} for {options.collection} in {namespace}"
    if receipt.unmatched:
        raise CommandError(
            f"unmatched: no active or paused trigger counts {what}: "
            f"kubectl get clustertriggers -n {namespace} lists the triggers and the events that they count"
        )
    if receipt.duplicates and not receipt.tried_again:
        return f"duplicate: the event {event['id']} of {event['source']} was already counted"
    return f"accepted: {options.count} {what}"


async def _token(cluster: Cluster, service_account: str | None) -> str:
    """Returns the token to send with: that of the named ServiceAccount, the user's own, or the default sender's.

    Raises:
        CommandError: there is none.
    """
    if service_account is not None:
        return await _borrowed(cluster, service_account, "--service-account: ")
    # The user does not have the token of an impersonated user.
    token = None if cluster.scope.user else cluster.access.credentials.token()
    if token:
        return token
    warn(f"your kubeconfig contains no token: sending as ServiceAccount {cluster.namespace}/{SENDER}")
    return await _borrowed(cluster, SENDER, "")


async def _borrowed(cluster: Cluster, account: str, prefix: str) -> str:
    spec = {"expirationSeconds": _TOKEN_SECONDS}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    try:
        answer = await cluster.api.create(paths.service_account_token(cluster.namespace, account), request)
    except ApiError as error:
        if error.is_not_found:
            commands = "\n".join(f"  {command}" for command in how_to_make_sender(cluster.namespace, account))
            raise CommandError(
                f"{prefix}{error}: set --service-account to one in namespace {cluster.namespace!r}, or create it:\n"
                f"{commands}"
            ) from error
        if error.is_forbidden:
            raise CommandError(
                f"{prefix}{error}: ask for the right to create serviceaccounts/token in namespace "
                f"{cluster.namespace!r}, or use a kubeconfig with a token"
            ) from error
        raise
    return str(answer["status"]["token"])
