"""`POST /{page_id}/calls`: five actions, each decoded into what the switchboard takes (messenger-calling 1.1 and 2).

Parameters are judged here as far as the check order of messenger-calling 1.4 lets them be judged before the call is looked up:
presence, types, enums, versions. A `session` without SDP, an answer where an offer is due, and too many tracks go on to the
switchboard, which refuses them in their turn.
"""

from __future__ import annotations

from typing import assert_never

from pagecalls.call.states import Action
from pagecalls.call.versions import Advance, advance_of
from pagecalls.errors import ConnectionFault, MissingParameter, NoLinkedNumber, UnusableConnection
from pagecalls.graph.params import Params
from pagecalls.graph.schemas import call_body
from pagecalls.graph.visit import Answer, PageVisit
from pagecalls.switchboard.base import (
    AcceptRequest,
    BusinessDoor,
    Caller,
    CallReply,
    ConnectRequest,
    EndRequest,
    MediaUpdateRequest,
)
from pagecalls.types import CallId, Platform, Psid, SdpType, Session, Track, TrackLabel, TrackStatus


async def act(visit: PageVisit) -> Answer:
    """Do what `action` says. For `whatsapp` the number that is linked to the Page would answer; none is yet (ruling 6)."""
    platform = visit.params.values.get("platform")
    if isinstance(platform, str) and platform.lower() == Platform.WHATSAPP:
        raise NoLinkedNumber
    action = visit.params.required_choice("action", Action)
    reply = await _act(visit.services.door, visit.caller, action, visit.params)
    return Answer(call_body(action, reply), reply.release)


async def _act(door: BusinessDoor, caller: Caller, action: Action, params: Params) -> CallReply:
    match action:
        case Action.CONNECT:
            return await door.connect(caller, connect_request(params))
        case Action.ACCEPT:
            return await door.accept(caller, accept_request(params))
        case Action.REJECT:
            return await door.reject(caller, end_request(params))
        case Action.TERMINATE:
            return await door.terminate(caller, end_request(params))
        case Action.MEDIA_UPDATE:
            return await door.media_update(caller, media_update_request(params))
        case _:
            assert_never(action)


def connect_request(params: Params) -> ConnectRequest:
    """messenger-calling 2.2."""
    platform = params.choice("platform", Platform)
    to = Psid(params.required_text("to"))
    return ConnectRequest(to, _required_session(params), _tracks(params) or (), platform)


def accept_request(params: Params) -> AcceptRequest:
    """messenger-calling 2.3."""
    platform = params.choice("platform", Platform)
    call_id = _call_id(params)
    return AcceptRequest(call_id, _required_session(params), _tracks(params) or (), platform)


def end_request(params: Params) -> EndRequest:
    """messenger-calling 2.4 and 2.5."""
    platform = params.choice("platform", Platform)
    return EndRequest(_call_id(params), platform)


def media_update_request(params: Params) -> MediaUpdateRequest:
    """messenger-calling 2.6: the four forms, told apart in its order. Versions of an answer are not looked at."""
    platform = params.choice("platform", Platform)
    call_id = _call_id(params)
    description = _description(params)
    tracks = _tracks(params)
    enabled = params.words("enabled_tracks")
    if description is not None:
        session = _session(description)
        if session is None:
            return MediaUpdateRequest(call_id, None, platform=platform)
        advance = None if session.sdp_type is SdpType.ANSWER else _advance(params)
        return MediaUpdateRequest(call_id, session, tracks, advance=advance, platform=platform)
    if tracks is not None:
        return MediaUpdateRequest(call_id, None, tracks, advance=_advance(params), platform=platform)
    if enabled is not None:
        return MediaUpdateRequest(call_id, None, enabled=enabled, advance=_advance(params), platform=platform)
    raise MissingParameter("session")


def _call_id(params: Params) -> CallId:
    return CallId(params.required_text("call_id"))


def _required_session(params: Params) -> Session | None:
    description = _description(params)
    if description is None:
        raise MissingParameter("session")
    return _session(description)


def _description(params: Params) -> Params | None:
    """The object that holds the SDP: `session`, else flat `sdp`, whose type is an offer unless given (1.1)."""
    session = params.object("session")
    if session is not None or not params.has("sdp"):
        return session
    return Params({"sdp": params.values["sdp"], "sdp_type": params.values.get("sdp_type") or SdpType.OFFER.value})


def _session(description: Params) -> Session | None:
    """The description; `None` when the SDP itself is missing."""
    sdp = description.text("sdp")
    if sdp is None:
        return None
    sdp_type = description.required_text("sdp_type").lower()
    if sdp_type not in (SdpType.OFFER.value, SdpType.ANSWER.value):
        raise UnusableConnection(ConnectionFault.WRONG_SDP_TYPE, sdp_type[:40])
    return Session(SdpType(sdp_type), sdp)


def _tracks(params: Params) -> tuple[Track, ...] | None:
    items = params.objects("tracks")
    if items is None:
        return None
    return tuple(
        Track(item.required_text("msid"), item.required_choice("label", TrackLabel), item.required_choice("status", TrackStatus))
        for item in items
    )


def _advance(params: Params) -> Advance | None:
    """Both versions or neither (4.2 rule 1)."""
    return advance_of(params.natural("from_version"), params.natural("to_version"))
