"""What the code itself lists: edges, enum values, errors, rows of the state table, members of the answers.

Each of these names must stand in `of` of some row of the contract, so that a new value without a test is noticed. Owns the choice
of the lists; a list belongs here when what it holds is seen by a client.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum

import msgspec

from pagecalls.call.messages import Template
from pagecalls.call.metrics import CallEndCause
from pagecalls.call.states import Action, CallState, DeadlineKind, EndReason
from pagecalls.call.transitions import TABLE
from pagecalls.consumer.messages import Method, Notice
from pagecalls.consumer.protocol import Answer
from pagecalls.errors import UnknownCall
from pagecalls.graph.auth import Scope
from pagecalls.graph.envelope import ROWS, Key, error_object
from pagecalls.graph.features import Feature, FeatureStatus
from pagecalls.graph.messages import MessagingType
from pagecalls.graph.oauth import GrantType
from pagecalls.graph.openapi.contract import REQUEST, RESPONSE, Member
from pagecalls.graph.routes import APP_EDGES, FIXED_PATHS, PAGE_EDGES, USER_EDGES
from pagecalls.graph.schemas import CallBody, PermissionBody, SdpObject, SentBody, SessionBody, SettingsBody
from pagecalls.graph.subscriptions import WebhookObject
from pagecalls.graph.versions import SERVED
from pagecalls.store.base import PageTask, TokenKind, WebhookKind
from pagecalls.types import Day, Direction, Platform, RingTarget, SdpType, TrackLabel, TrackStatus

ENUMS: tuple[type[Enum], ...] = (
    Action,
    Platform,
    TrackLabel,
    TrackStatus,
    SdpType,
    Direction,
    CallState,
    DeadlineKind,
    EndReason,
    Method,
    Notice,
    Answer,
    Template,
    MessagingType,
    Scope,
    TokenKind,
    WebhookKind,
    WebhookObject,
    RingTarget,
    Day,
    CallEndCause,
    Feature,
    FeatureStatus,
    GrantType,
    PageTask,
)
"""Closed sets that a client sends or sees."""

ANSWERS = (CallBody, SessionBody, SdpObject, PermissionBody, SettingsBody, SentBody)
"""Bodies whose members the contract lists one by one."""


def names() -> frozenset[str]:
    """Every name that a row must have in `of`."""
    return frozenset((*enum_values(ENUMS), *_errors(), *_state_rows(), *_edges(), *_members(), *_versions()))


def enum_values(enums: Iterable[type[Enum]]) -> Iterator[str]:
    """Values by the name of their set."""
    return (f"{enum.__name__}.{member.value}" for enum in enums for member in enum)


def _errors() -> Iterator[str]:
    return (error_name(key) for key in ROWS)


def error_name(key: Key) -> str:
    """An error of the table by its class and, where it has one, its fault."""
    return f"{key[0].__name__}.{key[1].name}" if isinstance(key, tuple) else key.__name__


def _state_rows() -> Iterator[str]:
    return (f"state row {number}" for cell in TABLE.values() for number in cell.rows)


def _edges() -> Iterator[str]:
    for node, edges in (("page", PAGE_EDGES), ("app", APP_EDGES), ("user", USER_EDGES)):
        yield from (f"{verb} /{{{node}_id}}/{edge}".rstrip("/") for edge, verbs in edges.items() for verb in verbs)
    yield from (f"{verb} /{'/'.join(path)}".rstrip("/") for path, verbs in FIXED_PATHS.items() for verb in verbs)


def _versions() -> Iterator[str]:
    return (f"version {version}" for version in SERVED)


def _schema_members(name: str, members: Iterable[Member]) -> Iterator[str]:
    """Members of a schema of the reference, and theirs."""
    for member in members:
        yield f"{name}.{member.name}"
        yield from _schema_members(f"{name}.{member.name}", member.members)


def _members() -> Iterator[str]:
    for schema in (REQUEST, RESPONSE):
        yield from _schema_members(schema.name, schema.members)
    for body in ANSWERS:
        yield from (f"{body.__name__}.{field.encode_name}" for field in msgspec.structs.fields(body))
    yield from (f"StandardError.{name}" for name in error_object(UnknownCall(), "A"))
