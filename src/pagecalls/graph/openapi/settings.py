"""`messenger_call_settings` for the documents (messenger-calling 9.1 and 9.2)."""

from __future__ import annotations

from pagecalls.graph.openapi.contract import Kind, Member, Schema
from pagecalls.graph.openapi.edge import Edge
from pagecalls.types import Day, RingTarget

_DAY = (
    Member("day_of_week", Kind.STRING, "Each day at most once.", is_required=True, choices=tuple(Day)),
    Member("open_time", Kind.STRING, "Four digits, from `0000`.", is_required=True),
    Member("close_time", Kind.STRING, "Four digits, later than `open_time`; `2359` is the end of the day.", is_required=True),
)
_HOURS = (
    Member("timezone_id", Kind.STRING, "A zone of the IANA database, such as `Europe/Berlin`.", is_required=True),
    Member(
        "weekly_operating_hours",
        Kind.ARRAY,
        "Days that are not named are closed; an empty list is always closed.",
        is_required=True,
        members=_DAY,
    ),
)
_FLAGS = (
    Member("audio_enabled", Kind.BOOLEAN, "Whether there are calls at all, in either direction."),
    Member("icon_enabled", Kind.BOOLEAN, "Whether a person may call without a call button of a message."),
    Member("video_enabled", Kind.BOOLEAN, "Whether calls may have pictures."),
)
_TARGET = Member(
    "ring_target",
    Kind.STRING,
    "Who is rung by a person's call: the subscribed apps, or the built-in console.",
    is_required=True,
    choices=tuple(RingTarget),
)
_SETTINGS = (
    *_FLAGS,
    Member("call_routing", Kind.OBJECT, "Where a person's call rings.", members=(_TARGET,)),
    Member("call_hours", Kind.OBJECT, "When a person may call; without it, always.", members=_HOURS),
)
CALL_SETTINGS = Schema(
    "PageCallSettings", "Any subset of a Page's call settings. `call_hours` `null` removes the hours.", _SETTINGS
)
CALL_SETTINGS_ANSWER = Schema(
    "PageCallSettingsAnswer",
    "What holds for the Page now.",
    (Member("data", Kind.ARRAY, "One entry.", is_required=True, members=_SETTINGS), *_SETTINGS),
)
STORED = Schema(
    "PageCallSettingsStored",
    "The change was stored, whole.",
    (
        Member("success", Kind.BOOLEAN, "Always true.", is_required=True),
        Member("result", Kind.STRING, "Always `success`.", is_required=True),
    ),
)

_PATH = "/{page_id}/messenger_call_settings"

EDGES = (
    Edge(
        path=_PATH,
        method="GET",
        operation_id="getPageMessengerCallSettings",
        summary="A Page's call settings",
        text="Either permission will do, `pages_messaging` or `pages_manage_metadata`.",
        query=(Member("fields", Kind.STRING, "Names of settings with commas between them; all by default."),),
        answer=CALL_SETTINGS_ANSWER,
        answer_text="What holds now, set or derived. The members of the entry stand beside `data` as well.",
    ),
    Edge(
        path=_PATH,
        method="POST",
        operation_id="postPageMessengerCallSettings",
        summary="Change a Page's call settings",
        text=(
            "All or nothing, at once; calls that run go on. New hours replace all earlier ones. `PARTNERS` needs the calling app "
            "to be subscribed to `calls` on the Page. Apps with the field `call_settings_update` are told all settings."
        ),
        body=CALL_SETTINGS,
        answer=STORED,
        answer_text="It was stored.",
        examples=(
            {"audio_enabled": True, "icon_enabled": True, "video_enabled": False},
            {
                "call_hours": {
                    "timezone_id": "Europe/Berlin",
                    "weekly_operating_hours": [{"day_of_week": "MONDAY", "open_time": "0900", "close_time": "1700"}],
                }
            },
        ),
    ),
)
