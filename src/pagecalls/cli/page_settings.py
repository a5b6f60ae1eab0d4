"""`pagecalls page settings`: a Page's call settings, shown and changed."""

from __future__ import annotations

import re
from typing import Any

import click

from pagecalls.cli.look import yes_or_no
from pagecalls.cli.output import Desk, given, operator_command
from pagecalls.types import Day, RingTarget

_SPAN = re.compile(r"([A-Za-z]{2,})=([0-9]{4})-([0-9]{4})")


class OpenDay(click.ParamType[dict[str, str]]):
    """`MONDAY=0900-1700`."""

    name = "DAY=HHMM-HHMM"

    def convert(self, value: str | dict[str, str], param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        """An entry of `weekly`. Whether day and times are any is the server's to say, but for what a day is called."""
        if not isinstance(value, str):
            return value
        match = _SPAN.fullmatch(value)
        day = None if match is None else next((each for each in Day if each.value.startswith(match[1].upper())), None)
        if match is None or day is None:
            self.fail(f"{value!r} is not like MONDAY=0900-1700", param, ctx)
        return {"day_of_week": day.value, "open_time": match[2], "close_time": match[3]}


@click.command()
@click.argument("page_id", metavar="ID")
@click.option("--audio/--no-audio", default=None, help="Whether there are calls at all.")
@click.option("--video/--no-video", default=None, help="Whether calls may have pictures.")
@click.option("--icon/--no-icon", default=None, help="Whether people may call without a call button.")
@click.option("--ring", type=click.Choice(list(RingTarget), case_sensitive=False), default=None, help="Who is rung by a call.")
@click.option("--zone", default=None, metavar="ZONE", help="Zone of the hours, such as Europe/Berlin; needed with --open.")
@click.option("--open", "week", type=OpenDay(), multiple=True, help="Hours of a day; repeatable. All other days are closed.")
@click.option("--always-open", is_flag=True, help="No hours any more.")
@operator_command
def settings(
    desk: Desk,
    page_id: str,
    audio: bool | None,
    video: bool | None,
    icon: bool | None,
    ring: str | None,
    zone: str | None,
    week: tuple[dict[str, str], ...],
    always_open: bool,
) -> None:
    """Show a Page's call settings, or change those that are named."""
    body = given(audio_enabled=audio, video_enabled=video, icon_enabled=icon, ring_target=ring)
    if (zone is None and week) or (zone is not None and always_open):
        raise click.UsageError("Hours are --zone with any number of --open, or --always-open.")
    if zone is not None:
        body["call_hours"] = {"timezone_id": zone, "weekly": list(week)}
    elif always_open:
        body["call_hours"] = None
    path = f"/pages/{page_id}/call_settings"
    _show(desk, desk.ask("POST", path, body=body) if body else desk.ask("GET", path))


def _show(desk: Desk, held: dict[str, Any]) -> None:
    hours = held["call_hours"]
    lines = [
        ("Audio", yes_or_no(held["audio_enabled"])),
        ("Video", yes_or_no(held["video_enabled"])),
        ("Icon", yes_or_no(held["icon_enabled"])),
        ("Rings", held["ring_target"]),
        ("Hours", "always open" if hours is None else f"{hours['timezone_id']}{'' if hours['weekly'] else ', always closed'}"),
    ]
    week = [] if hours is None else hours["weekly"]
    spans = [(each["day_of_week"].capitalize(), f"{each['open_time']}-{each['close_time']}") for each in week]
    desk.facts(held, [*lines, *spans])
