from __future__ import annotations

import pytest

from pagecalls.webhooks.targets import TargetPolicy, networks

PUBLIC = ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"]
LOOPBACK = ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
CLOSED = [
    "10.0.0.1",
    "172.16.5.5",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "198.18.0.1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a00:1::1",
    "2001:0:a00:1::1",
    "192.0.0.192",
    "192.88.99.1",
    "168.63.129.16",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::a9fe:a9fe",
    "fec0::1",
    "fd00:ec2::254",
    "3fff::1",
    "5f00::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_open(address: str) -> None:
    assert TargetPolicy().permits(address)


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_is_open_in_development_only(address: str) -> None:
    assert TargetPolicy(allow_loopback=True).permits(address)
    assert not TargetPolicy().permits(address)


@pytest.mark.parametrize("address", CLOSED)
def test_every_other_address_is_closed(address: str) -> None:
    assert not TargetPolicy(allow_loopback=True).permits(address)


@pytest.mark.parametrize("text", ["", "localhost", "10.1", "0x7f.0.0.1", "2130706433", "127.0.0.1:80"])
def test_what_is_not_an_address_is_closed(text: str) -> None:
    assert not TargetPolicy(allow_loopback=True).permits(text)


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::5", "127.0.0.1", "169.254.169.254"])
def test_an_allow_list_opens_more(address: str) -> None:
    policy = TargetPolicy(allow=networks(["10.0.0.0/8", "fd00::/8", "127.0.0.1", " 169.254.169.254 "]))
    assert policy.permits(address)
    assert not policy.permits("192.168.1.1")
    assert not policy.permits("127.0.0.2")


def test_a_bad_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        networks(["10.0.0.0/8", "10.0.0.0/99"])
