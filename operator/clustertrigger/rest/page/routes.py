"""Serves the page's paths."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime
from typing import Annotated, Any, get_args
from urllib.parse import parse_qs, quote, urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from fastapi.sse import EventSourceResponse, ServerSentEvent

from clustertrigger.core.kube import paths
from clustertrigger.rest.caller import no_token
from clustertrigger.rest.errors import RefusedError
from clustertrigger.rest.gate import Streams
from clustertrigger.rest.page import session as sessions
from clustertrigger.rest.page.live import Source, fragments
from clustertrigger.rest.page.reading import PageContent, Reader
from clustertrigger.rest.page.rendering import ASSETS, EDITION, FRAMED, FRAMING, HEADERS, page, render
from clustertrigger.rest.page.report import run_of
from clustertrigger.rest.page.session import CSRF_FIELD, Session, session_of
from clustertrigger.rest.page.views.detail import Verb, detail
from clustertrigger.rest.page.views.overview import STATES, TYPES, Filters, overview
from clustertrigger.rest.page.views.run import run_page
from clustertrigger.rest.triggers import Backend

_YEAR = 31_536_000
_DONE = {
    "run": "A run was requested.",
    "pause": "The trigger is paused.",
    "resume": "The trigger fires again.",
    "reset": "The number of consecutive failures is 0 again.",
}
_TITLES = {
    401: "Sign in",
    403: "Not allowed",
    404: "Not found",
    409: "Not possible now",
    413: "Too long",
    422: "Invalid input",
    429: "Too many requests",
    503: "Kubernetes does not respond",
}
_LONGEST_FORM = 16_384
Answer = Callable[[Request], Coroutine[Any, Any, Response]]


class _Page(APIRoute):
    """Shows an error as a page; without a valid token, as the sign-in page."""

    def get_route_handler(self) -> Answer:
        answer = super().get_route_handler()

        async def answer_or_explain(request: Request) -> Response:
            try:
                return await answer(request)
            except RefusedError as problem:
                return _explained(request, problem)

        return answer_or_explain


router = APIRouter(route_class=_Page, include_in_schema=False)
live = APIRouter(include_in_schema=False)


def _session(request: Request) -> Session:
    session = session_of(request)
    if session is None:
        raise no_token()
    _take_turn(request, session.token)
    return session


def _take_turn(request: Request, token: str) -> None:
    if wait := request.app.state.page_rates.wait_for(token, time.monotonic()):
        headers = {"Retry-After": str(int(wait) + 1)}
        raise RefusedError(429, "Too many requests with this token: wait a moment.", headers=headers)


def _reader(request: Request, session: Annotated[Session, Depends(_session)]) -> Reader:
    return _reader_of(request, session.token)


def _reader_of(request: Request, token: str) -> Reader:
    backend: Backend = request.app.state.backend
    return Reader(backend, token)


async def _open_stream(
    request: Request, session: Annotated[Session, Depends(_session)]
) -> AsyncIterator[AsyncExitStack]:
    """Counts a stream, and closes its source when its request has ended.

    FastAPI leaves the generator of a disconnected reader to the garbage collector, which can take long.
    """
    streams: Streams = request.app.state.streams
    with streams.one(session.token):
        async with AsyncExitStack() as stack:
            yield stack


Readers = Annotated[Reader, Depends(_reader)]
OpenStreams = Annotated[AsyncExitStack, Depends(_open_stream)]
Sessions = Annotated[Session, Depends(_session)]


@router.get("/")
async def triggers(request: Request, session: Sessions, reader: Readers) -> Response:
    """Serves the table of triggers, and the coming 24 hours."""
    filters = _filters(request)
    try:
        # A browser sends this header when the user reloads a page without its cache.
        uncached = "no-cache" in request.headers.get("cache-control", "")
        state = await reader.triggers(filters.namespace, uncached=uncached)
    except RefusedError as problem:
        if problem.status != 403:
            raise
        if not filters.namespace and reader.home:
            return RedirectResponse(f"/?{filters.query(namespace=reader.home)}", 303, headers=HEADERS)
        return _page("forbidden.html", session, 403, message=problem.message, filters=filters)
    shown = await asyncio.to_thread(overview, state.triggers, filters, datetime.now(UTC))
    return _page("overview.html", session, shown=shown, filters=filters, types=TYPES, states=STATES)


@router.get("/triggers/{namespace}/{name}")
async def trigger(request: Request, namespace: str, name: str, session: Sessions, reader: Readers) -> Response:
    """Serves one trigger."""
    done = _DONE.get(request.query_params.get("done", ""), "")
    return await _trigger(session, reader, namespace, name, done=done)


@router.get("/triggers/{namespace}/{name}/runs/{job}")
async def run(request: Request, namespace: str, name: str, job: str, session: Sessions, reader: Readers) -> Response:
    """Serves one run, with a frame for its report."""
    found = (await reader.trigger(namespace, name)).triggers[0].raw
    shown = run_page(namespace, name, run_of(found, job), datetime.now(UTC))
    may_read = shown.has_report and await reader.may_read_reports(namespace)
    context = {"shown": shown, "may_read": may_read, "csrf": session.csrf, "signed_in_here": session.signed_in_here}
    return page("run.html", 200, FRAMING, **context)


@router.post("/triggers/{namespace}/{name}/runs/{job}/report")
async def report(request: Request, namespace: str, name: str, job: str) -> Response:
    """Serves a run's report for the frame, or its error."""
    try:
        sessions.require_own_form(request)
        session = _session(request)
        sessions.require_csrf(session, (await _form(request)).get(CSRF_FIELD, ""))
        reader = _reader_of(request, session.token)
        found = (await reader.trigger(namespace, name)).triggers[0].raw
        with request.app.state.reports.one(session.token):
            content = await reader.report(found, run_of(found, job, with_report=True))
    except RefusedError as problem:
        return HTMLResponse(render("framed_error.html", {"message": problem.message}), problem.status, headers=FRAMED)
    return HTMLResponse(content, headers=FRAMED)


@router.post("/triggers/{namespace}/{name}/{verb}")
async def act(request: Request, namespace: str, name: str, verb: str, session: Sessions, reader: Readers) -> Response:
    """Runs, pauses, resumes or resets a trigger."""
    sessions.require_own_form(request)
    form = await _form(request)
    sessions.require_csrf(session, form.get(CSRF_FIELD, ""))
    if verb not in get_args(Verb) or not paths.is_name(name):
        raise RefusedError(404, f"There is no action {verb!r}.")
    found = reader.acting(namespace)
    try:
        match verb:
            case "run":
                await found.execute(name, None)
            case "pause":
                await found.set_status(name, "paused")
            case "resume":
                await found.set_status(name, "active")
            case "reset":
                await found.reset(name)
    except RefusedError as problem:
        if problem.status in (401, 404):
            raise
        return await _trigger(session, reader, namespace, name, refusal=problem)
    address = f"/triggers/{quote(namespace, safe='')}/{quote(name, safe='')}?{urlencode({'done': verb})}"
    return RedirectResponse(address, 303, headers=HEADERS)


@router.get("/sign-in")
async def sign_in_form(request: Request) -> Response:
    """Serves the form for a token."""
    return page("sign_in.html", message="", next=_own_address(request.query_params.get("next", "/")))


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Accepts a token, if Kubernetes knows it."""
    sessions.require_own_form(request)
    form = await _form(request)
    target = _own_address(form.get("next", "/"))
    try:
        token = sessions.read_token(form.get("token", ""))
        _take_turn(request, token)
        await _reader_of(request, token).check()
    except RefusedError as problem:
        return page("sign_in.html", problem.status, problem.headers, message=problem.message, next=target)
    answer = RedirectResponse(target, 303, headers=HEADERS)
    sessions.keep(token, request, answer)
    return answer


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Drops the token."""
    sessions.require_own_form(request)
    answer = RedirectResponse("/sign-in", 303, headers={**HEADERS, "Clear-Site-Data": '"cache", "storage"'})
    sessions.forget(request, answer)
    return answer


@router.get("/assets/{edition}/{name:path}")
async def asset(edition: str, name: str) -> Response:
    """Serves a style sheet, a script or an icon."""
    found = ASSETS.get(name)
    if found is None:
        raise RefusedError(404, "This file does not exist.")
    lasts = f"public, max-age={_YEAR}, immutable" if edition == EDITION else "no-cache"
    headers = {"Cache-Control": lasts, "X-Content-Type-Options": "nosniff"}
    return Response(found.content, media_type=found.media_type, headers=headers)


@live.get("/live", response_class=EventSourceResponse)
async def live_triggers(request: Request, stream: OpenStreams, reader: Readers) -> AsyncIterator[ServerSentEvent]:
    """Streams the table of triggers whenever it changes."""
    filters = _filters(request)

    def html(state: PageContent, now: datetime) -> str:
        return render("overview_live.html", {"shown": overview(state.triggers, filters, now), "filters": filters})

    source = Source(
        lambda: reader.triggers(filters.namespace), lambda version: reader.changes(filters.namespace, "", version), html
    )
    events = await stream.enter_async_context(aclosing(fragments(source, request.app.state.leaving)))
    async for event in events:
        yield event


@live.get("/live/{namespace}/{name}", response_class=EventSourceResponse)
async def live_trigger(
    request: Request, namespace: str, name: str, session: Sessions, stream: OpenStreams, reader: Readers
) -> AsyncIterator[ServerSentEvent]:
    """Streams one trigger whenever it changes."""

    def html(state: PageContent, now: datetime) -> str:
        shown = detail(state.triggers[0].raw, now, may_change=state.may_change)
        return render("detail_live.html", {"shown": shown, "csrf": session.csrf})

    source = Source(
        lambda: reader.trigger(namespace, name), lambda version: reader.changes(namespace, name, version), html
    )
    events = await stream.enter_async_context(aclosing(fragments(source, request.app.state.leaving)))
    async for event in events:
        yield event


async def _trigger(
    session: Session,
    reader: Reader,
    namespace: str,
    name: str,
    *,
    done: str = "",
    refusal: RefusedError | None = None,
) -> Response:
    state = await reader.trigger(namespace, name)
    shown = detail(state.triggers[0].raw, datetime.now(UTC), may_change=state.may_change)
    status, message = (refusal.status, refusal.message) if refusal else (200, "")
    return _page("detail.html", session, status, shown=shown, done=done, refusal=message, csrf=session.csrf)


def _page(template: str, session: Session, status: int = 200, **context: Any) -> HTMLResponse:
    return page(template, status, signed_in_here=session.signed_in_here, **context)


def _explained(request: Request, problem: RefusedError) -> Response:
    if problem.status == 401:
        if sessions.came_from_elsewhere(request):
            # The cookie exists, but the browser does not send it with a link from another site. A request of this page
            # itself has it.
            return page("again.html", 200, {"Refresh": "0"})
        session = session_of(request)
        message = problem.message if session else ""
        target = str(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
        answer: Response = page(
            "sign_in.html", 401, problem.headers, message=message, next=target if request.method == "GET" else "/"
        )
        if session is not None and session.signed_in_here:
            sessions.forget(request, answer)
        return answer
    title = _TITLES.get(problem.status, "The request failed")
    return page("error.html", problem.status, problem.headers, title=title, message=problem.message)


async def _form(request: Request) -> dict[str, str]:
    body = await request.body()
    if len(body) > _LONGEST_FORM:
        raise RefusedError(413, "This form is too long.")
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _filters(request: Request) -> Filters:
    query = request.query_params
    start = query.get("start", "")
    return Filters(
        namespace=query.get("namespace", "").strip(),
        type=query.get("type", ""),
        state=query.get("state", ""),
        action=query.get("action", ""),
        start=int(start) if start.isdecimal() and len(start) < 9 else 0,
    )


def _own_address(text: str) -> str:
    """Returns a path of this page, or else its root, so that no sign-in redirects to another site."""
    is_own = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    return text if is_own else "/"
