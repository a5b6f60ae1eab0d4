"""Long random talks: both ends change their media in every way and at any moment, apply our offers or do not, and lose replies.

Lines that stay change their direction too: calls are held and resumed. After each move the engine must do what the call says, no
source may ever come back, and each end must be shown exactly what the other end has. Which moves are made is chance with a fixed
seed.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest

from pagecalls.demo.business import GraphRefused
from pagecalls.demo.device import DeviceRefused
from pagecalls.sdp.description import serialize
from pagecalls.switchboard.desired import leg_state, routing
from pagecalls.switchboard.media import Leg, far_lines, peer_lines
from pagecalls.switchboard.offers import view_of
from pagecalls.types import CallId, MediaKind, Side, TrackLabel, TrackStatus

from .conftest import World
from .talk import End, Json, Talk, text, track

MOVES = 14
MOST_TRACKS = 2
"""Of a kind; one more would be answered `inactive`."""


class Dice:
    """One talk, moved by chance."""

    def __init__(self, talk: Talk, chance: random.Random) -> None:
        self.talk = talk
        self.chance = chance
        self.ever_sent: dict[tuple[str, int], str] = {}
        self.lost: set[tuple[str, int]] = set()

    async def move(self) -> None:
        """Anything that may happen."""
        side = self.chance.choice(list(Side))
        moves: list[Callable[[Side], Awaitable[None]]] = [self.offer, self.offer, self.offer, self.switch, self.take, self.sign]
        await self.chance.choice(moves)(side)

    def end(self, side: Side) -> End:
        return self.talk.business if side is Side.BUSINESS else self.talk.consumer

    async def ask(self, side: Side, **members: object) -> Json:
        asks = self.talk.business_asks if side is Side.BUSINESS else self.talk.device_asks
        return await asks(**members)

    async def offer(self, side: Side) -> None:
        """The next offer of an end, changed somehow. After a collision it takes what it missed, and asks again."""
        end = self.end(side)
        self.change(end)
        while True:
            versions = end.next() if self.chance.random() < 0.7 else {}
            offer = text(end.peer.offer())
            answer = await self.ask(side, session=offer, **versions)
            if answer["success"]:
                break
            await self.take(side)
        if versions and self.chance.random() < 0.3:
            assert await self.ask(side, session=offer, **versions) == answer, "the reply was lost"
        await self.apply(side, answer["session"])

    def change(self, end: End) -> None:
        peer = end.peer
        sending = [each for each in peer.transceivers if each.track]
        kind = self.chance.choice(["audio", "video"])
        match self.chance.randrange(6):
            case 0 | 1 if sum(each.kind == kind for each in sending) < MOST_TRACKS:
                peer.add(kind)
            case 2 if len(sending) > 1:
                peer.remove(self.chance.choice(sending[1:]).mid)
            case 3:
                peer.restart_ice(f"ufrag{self.chance.randrange(10**6)}")
            case 4:
                self.chance.choice(peer.transceivers).receives ^= True
            case 5:
                receives = not any(each.receives for each in peer.transceivers)
                for each in peer.transceivers:
                    each.receives = receives

    async def apply(self, side: Side, session: Json) -> None:
        end = self.end(side)
        end.apply_answer(session)
        if "sdp_renegotiation" in session:
            await self.take_or_leave(end, session)

    async def take(self, side: Side) -> None:
        """Apply the newest offer of ours, if there is one that was not."""
        end, sessions = self.end(side), await self.sessions(side)
        if sessions and sessions[-1]["version"] > end.version:
            await self.take_or_leave(end, sessions[-1], always=True)

    async def take_or_leave(self, end: End, session: Json, *, always: bool = False) -> None:
        """A client that never applies our offers still counts them."""
        if always or self.chance.random() < 0.6:
            end.take(session)
        else:
            end.version = session["version"]

    async def sessions(self, side: Side) -> list[Json]:
        if side is Side.BUSINESS:
            told = [each.item for each in self.talk.world.app.received if each.event == "media_update"]
        else:
            await self.talk.told()
            told = [each.params for each in self.talk.device.received if each.method == "call.media_update"]
        return sorted((item["session"] for item in told), key=lambda session: int(session["version"]))

    async def switch(self, side: Side) -> None:
        """A track that is known, on or off without a description."""
        leg = await self.talk.leg(side)
        label, line = self.chance.choice(list(peer_lines(leg.connection).items()))
        status = self.chance.choice(["enabled", "disabled"])
        answer = await self.ask(side, tracks=[track(line.peer_msid, label.value, status)])
        assert answer["success"]
        self.end(side).version = answer["version"]

    async def sign(self, side: Side) -> None:
        """A report on a stream, or an answer that is posted back."""
        leg = await self.talk.leg(side)
        running = [line.far_ssrc for line in far_lines(leg.connection).values() if leg.runs(line)]
        if running and self.chance.random() < 0.5:
            self.talk.world.engine.accepts(leg.id, self.chance.choice([ssrc for ssrc in running if ssrc is not None]))
        else:
            await self.ask(side, session={"sdp_type": "answer", "sdp": serialize(self.end(side).peer.offer())})
        await self.talk.world.settle()

    # --- what must hold -----------------------------------------------------------------------------------------------

    async def check(self) -> None:
        media = await self.talk.world.media(self.talk.call_id)
        engine = self.talk.world.engine
        assert engine.routes(CallId(self.talk.call_id)) == routing(self.talk.call_id, media).routes
        for side in Side:
            leg, far = media.leg(side), media.leg(side.other)
            assert leg is not None
            assert far is not None
            applied = engine.legs[leg.id].applied
            assert applied == leg_state(media, side), "the engine lags behind"
            now = {(str(leg.id), output.ssrc): one.track for one in applied.send for output in one.outputs}
            assert not self.lost & now.keys(), "a source came back"
            assert all(self.ever_sent.get(key, name) == name for key, name in now.items())
            self.lost |= {key for key in self.ever_sent if key[0] == str(leg.id)} - now.keys()
            self.ever_sent |= now
            live = {label for label, status, _ in view_of(far.connection) if is_live(label, status)}
            dark = {line.far_label: line.mid for line in leg.connection.lines if line.is_dark}
            assert set(far_lines(leg.connection)) == (live | {TrackLabel.DEFAULT_AUDIO}) - dark.keys()
            assert not any(self.end(side).peer.of(mid).receives for mid in dark.values()), "somebody sees nothing"
            assert not leg.is_owed
            sound = {output.mid for one in applied.send if one.track == "default_audio" for output in one.outputs}
            heard = {each.mid for each in self.end(side).peer.transceivers if each.kind == "audio" and each.receives}
            assert sound & heard or self.is_deaf(side, leg), "somebody hears nothing"

    def is_deaf(self, side: Side, leg: Leg) -> bool:
        """Whether an end has itself stopped to receive on the one line where it would hear the other."""
        line = leg.b_line or next((line for line in leg.connection.lines if line.is_held), None)
        mid = line.mid if line is not None and not leg.is_a_on else "0"
        return not self.end(side).peer.of(mid).receives


def is_live(label: TrackLabel, status: TrackStatus) -> bool:
    return label.kind is MediaKind.AUDIO or status is TrackStatus.ENABLED


@pytest.mark.parametrize("seed", range(12))
async def test_a_random_talk(world: World, seed: int) -> None:
    chance = random.Random(seed)
    talk = await Talk.begun(world, applies=chance.random() < 0.5)
    dice = Dice(talk, chance)
    await world.settle()
    await dice.check()
    for _ in range(MOVES):
        try:
            await dice.move()
        except (GraphRefused, DeviceRefused) as refused:
            raise AssertionError(f"seed {seed}: {refused}") from refused
        await world.settle()
        await dice.check()
    await world.app.call("terminate", call_id=talk.call_id)
    assert await world.is_clean()
