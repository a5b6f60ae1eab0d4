"""Which addresses a webhook may be sent to.

A callback URL is a stranger's wish to have this server send requests. The rule is applied to the address that is connected to,
never to the name: a name can point somewhere else a moment later. Public addresses are open, loopback in development only, and
everything else (private, link-local, multicast, unspecified, reserved) by an allow list. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last four bytes are the IPv4 address that the packet reaches."""
_GLOBAL_V6 = IPv6Network("2000::/3")
"""All that is given out as global unicast (RFC 4291 section 2.4). What lies outside is a form of an IPv4 address, or nobody's."""
_CLOSED: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("168.63.129.16/32"),
    IPv6Network("3fff::/20"),
)
"""Global by their numbers only: protocol assignments (RFC 6890; a cloud's metadata among them), retired relays, the address at
which another cloud serves its own machines, and documentation (RFC 9637)."""


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """The rule for one server. `allow` opens further networks; an IPv4 network covers its IPv6-mapped form too."""

    allow_loopback: bool = False
    allow: tuple[Network, ...] = ()

    def permits(self, address: str) -> bool:
        """Whether a connection to this literal address may be made. What is not an address is refused."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return all(self._permits(each) for each in _reached(parsed))

    def _permits(self, address: Address) -> bool:
        if any(address.version == network.version and address in network for network in self.allow):
            return True
        if address.is_loopback:
            return self.allow_loopback
        if isinstance(address, IPv6Address) and address not in _GLOBAL_V6:
            return False
        is_closed = any(address.version == network.version and address in network for network in _CLOSED)
        return address.is_global and not address.is_multicast and not is_closed


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks as text (`10.0.0.0/8`, `fd00::1`). Raises `ValueError` that names the bad one."""
    return tuple(ip_network(text.strip(), strict=False) for text in texts)


def _reached(address: Address) -> list[Address]:
    """The addresses that a packet to `address` can end at: an IPv6 form that carries IPv4 ones counts as those."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return list(address.teredo)
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFF_FFFF)]
    return [address]
