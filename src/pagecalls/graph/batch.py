"""Several requests in one (graph-platform 6): each runs as if it had come alone, and one array tells how they went.

What a request of a batch does, means and costs is decided where single requests are; here is only who waits for whom, what is
handed from one to the next, and how the array looks. `batch_plan.py` checks and orders, `references.py` hands over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from pagecalls.errors import PageCallsError, UnusableBatch
from pagecalls.graph.batch_plan import Member, read_members, waits
from pagecalls.graph.decoding import file_names
from pagecalls.graph.options import GraphOptions
from pagecalls.graph.references import Room
from pagecalls.graph.request import Credentials, Incoming, Request
from pagecalls.graph.visit import Answer
from pagecalls.http import MAX_BODY_BYTES, Json, NotJson, Response, parse_json

Serve = Callable[[Incoming, PageCallsError | None], Awaitable[Response]]
"""Answers one request, or says the error to it without trying it. Raises nothing."""

_SPELLINGS = {"etag": "ETag", "www-authenticate": "WWW-Authenticate", "facebook-api-version": "Facebook-API-Version"}


async def run_batch(serve: Serve, around: Incoming, request: Request, options: GraphOptions) -> Answer:
    """The array, and the release of everything that its requests held back. Raises as `read_members` and `waits` do.

    `around` is the request that holds the batch, with the credentials and the version that its requests have from it.
    """
    params = request.readable()
    members = read_members(params)
    with_headers = params.flag("include_headers") is not False
    run = _Run(serve, around, members, waits(members), _Files(around.content_type, request.content), options)
    try:
        await run.all()
        entries = _entries(members, run.responses, with_headers)
    except BaseException:
        run.release()
        raise
    return Answer(entries, run.release)


@dataclass(frozen=True, slots=True)
class _Files:
    """The body around a batch, looked through for files only when a request names one."""

    content_type: str | None
    content: bytes

    def check(self, member: Member) -> None:
        """No edge takes files, so those attached are passed over as in single requests; but they must be there."""
        there = file_names(self.content_type, self.content) if member.files else frozenset()
        for name in member.files:
            if name not in there:
                raise UnusableBatch(member.where, f'no file "{name[:80]}" came with the batch')


@dataclass(slots=True)
class _Run:
    """A batch under way. `responses` of requests that were left out are `None`."""

    serve: Serve
    around: Incoming
    members: Sequence[Member]
    waits: Sequence[frozenset[int]]
    files: _Files
    options: GraphOptions
    responses: dict[int, Response | None] = field(default_factory=dict)
    over: list[asyncio.Event] = field(default_factory=list)
    room: Room = field(default_factory=lambda: Room(MAX_BODY_BYTES))

    async def all(self) -> None:
        """Run every request. One that is cancelled leaves the others' answers in `responses`."""
        self.over = [asyncio.Event() for _ in self.members]
        deadline = self.options.monotonic() + self.options.batch_start_s
        async with asyncio.TaskGroup() as group:
            for member in self.members:
                group.create_task(self._one(member, deadline))

    def release(self) -> None:
        """The answer is out: so are those of all requests (ruling 18)."""
        for response in self.responses.values():
            if response is not None:
                response.release()

    async def _one(self, member: Member, deadline: float) -> None:
        try:
            for index in sorted(self.waits[member.index]):
                await self.over[index].wait()
            if self.options.monotonic() > deadline or self._is_left_out(member):
                # Nothing has been done, so a client may send it again.
                self.responses[member.index] = None
                return
            self.responses[member.index] = await self._answer(member)
        finally:
            self.over[member.index].set()

    async def _answer(self, member: Member) -> Response:
        try:
            filled = member.filled(self._results(member), self.room)
            self.files.check(member)
        except PageCallsError as error:
            return await self.serve(_incoming(member, self.around), error)
        return await self.serve(_incoming(filled, self.around), None)

    def _results(self, member: Member) -> Mapping[str, Json]:
        """The bodies that the member may refer to. Raises `UnusableBatch` if one that it needs has failed."""
        results: dict[str, Json] = {}
        for needed in self._needed(member):
            body = _body(self.responses[needed.index])
            if body is None:
                raise UnusableBatch(member.where, f'it depends on "{(needed.name or "")[:80]}", which failed')
            results[needed.name or ""] = body
        return results

    def _is_left_out(self, member: Member) -> bool:
        return any(self.responses[needed.index] is None for needed in self._needed(member))

    def _needed(self, member: Member) -> list[Member]:
        return [each for each in self.members if each.name in member.waits_for]


def _incoming(member: Member, around: Incoming) -> Incoming:
    """The request that the member stands for, with the identity of the request around it unless it brings its own."""
    content = member.body.encode("utf-8", "surrogatepass")

    async def read_body() -> bytes:
        return content

    return Incoming(
        method=member.method,
        path=member.path,
        query_string=member.query.encode("utf-8", "surrogatepass"),
        read_body=read_body,
        content_type=member.content_type if content else None,
        # As a header's bytes come from a socket.
        authorization=member.headers.get("authorization", "").encode("utf-8", "surrogatepass").decode("latin-1"),
        if_none_match=member.headers.get("if-none-match"),
        origin=around.origin,
        default_version=around.default_version,
        credentials=_credentials(member, around.credentials),
        is_member=True,
    )


def _credentials(member: Member, around: Credentials | None) -> Credentials | None:
    """A token of its own has no part in the proof of another one."""
    if member.token is None or (around is not None and member.token == around.token):
        return around
    return Credentials(member.token)


def _body(response: Response | None) -> Json:
    """What a successful answer says; `None` for any other."""
    if response is None or response.status >= 400:
        return None
    try:
        body = parse_json(_content(response)) if response.body else {}
    except NotJson:
        return {}
    return None if isinstance(body, dict) and "error" in body else body


def _entries(members: Sequence[Member], responses: Mapping[int, Response | None], with_headers: bool) -> list[Json]:
    needed = frozenset(name for member in members for name in member.waits_for)
    answered = [(member, responses[member.index]) for member in members]
    return [
        _entry(member, None if _is_omitted(member, needed, response) else response, with_headers) for member, response in answered
    ]


def _is_omitted(member: Member, needed: frozenset[str], response: Response | None) -> bool:
    """Whether the answer is left out as `omit_response_on_success` says, by default where others depend on it.

    Only of reading requests, which are those with an etag: what has had an effect must not look like what has not been done,
    because clients send that again.
    """
    if response is None:
        return True
    wishes = member.omits if member.omits is not None else member.name in needed
    return wishes and "etag" in response.headers and _body(response) is not None


def _entry(member: Member, response: Response | None, with_headers: bool) -> Json:
    if response is None:
        return None
    entry: dict[str, Json] = {"code": response.status}
    if with_headers:
        lines = {"content-type": "application/json; charset=UTF-8", **response.headers}
        entry["headers"] = [{"name": _spelt(name), "value": value} for name, value in lines.items()]
    entry["body"] = "" if member.method == "HEAD" else _content(response).decode()
    return entry


def _content(response: Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else msgspec.json.encode(response.body)


def _spelt(name: str) -> str:
    """A header's name as people write it; some clients of batches compare letter by letter."""
    return _SPELLINGS.get(name) or "-".join(part.capitalize() for part in name.split("-"))
