"""A bad network between a WebRTC peer and the media engine: a UDP relay that loses, delays and reorders, repeatably.

    async with relay(to=("127.0.0.1", 40000), up=Impairment(loss=0.05), seed=7) as link:
        answer = link.through(answer)  # the peer now knows the relay's address alone
        ...
        print(link.up.of(Kind.RTP).lost)

`impairment.py` says what a direction does, `channel.py` does it (pure: datagrams and the time go in, datagrams come out),
`flow.py` and `sockets.py` put sockets around it, `candidates.py` puts a peer behind it. `python -m pagecalls.testing.impair` is
the same as a command. docs/testing.md shows how both are used.
"""

from pagecalls.testing.impair.candidates import redirect_candidates
from pagecalls.testing.impair.channel import Channel, Fate, Traced
from pagecalls.testing.impair.figures import Counts, Delays, Figures, StreamCounts
from pagecalls.testing.impair.flow import Address
from pagecalls.testing.impair.impairment import CLEAR, Impairment
from pagecalls.testing.impair.packets import Kind, classify
from pagecalls.testing.impair.sockets import Direction, Leaves, Relay, Trace, relay

__all__ = [
    "CLEAR",
    "Address",
    "Channel",
    "Counts",
    "Delays",
    "Direction",
    "Fate",
    "Figures",
    "Impairment",
    "Kind",
    "Leaves",
    "Relay",
    "StreamCounts",
    "Trace",
    "Traced",
    "classify",
    "redirect_candidates",
    "relay",
]
