from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from pagecalls.clock import SteppedClock
from pagecalls.errors import CallbackUnverified
from pagecalls.webhooks.base import Failure, Outcome
from pagecalls.webhooks.fake import FakeSender
from pagecalls.webhooks.verification import challenge_url, verify_callback

URL = "http://receiver.example/hook"
CHALLENGE = 1_158_201_444


def ok(body: bytes) -> Outcome:
    return Outcome(200, "OK", body)


@pytest.fixture
def sender() -> FakeSender:
    return FakeSender(SteppedClock())


@pytest.mark.parametrize("body", [b"1158201444", b'"1158201444"', b" 1158201444\r\n", b'\n"1158201444" '])
async def test_an_echo_is_accepted(sender: FakeSender, body: bytes) -> None:
    sender.script(URL, ok(body))
    await verify_callback(sender, URL, "tok en&", CHALLENGE)
    (request,) = sender.requests
    assert request.method == "GET"
    assert request.url == f"{URL}?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=tok+en%26"


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (
            Outcome(403, "Forbidden"),
            "(#2200) Callback verification failed with the following errors: HTTP Status Code = 403; HTTP Message = Forbidden",
        ),
        (
            Outcome(404),
            "(#2200) Callback verification failed with the following errors: HTTP Status Code = 404; HTTP Message = Not Found",
        ),
        (
            Outcome(799),
            "(#2200) Callback verification failed with the following errors: HTTP Status Code = 799; HTTP Message = ",
        ),
        (
            Outcome(201, "Created", b"1158201444"),
            "(#2200) Callback verification failed with the following errors: HTTP Status Code = 201; HTTP Message = Created",
        ),
        (
            Outcome(failure=Failure.TIMEOUT),
            "(#2200) Callback verification failed with the following errors: "
            "curl_errno = 28; curl_error = Operation timed out; HTTP Status Code = 0",
        ),
        (
            ok(b"nope"),
            "(#2200) The URL couldn't be validated. Response does not match challenge, "
            'expected value="1158201444", received="nope"',
        ),
        (
            ok(b"\xff" * 500),
            "(#2200) The URL couldn't be validated. Response does not match challenge, "
            f'expected value="1158201444", received="{100 * chr(0xFFFD)}"',
        ),
    ],
)
async def test_everything_else_is_refused_with_a_reason(sender: FakeSender, outcome: Outcome, text: str) -> None:
    sender.script(URL, outcome)
    with pytest.raises(CallbackUnverified) as caught:
        await verify_callback(sender, URL, "token", CHALLENGE)
    assert str(caught.value) == text


@pytest.mark.parametrize("failure", list(Failure))
async def test_every_failure_has_a_number(sender: FakeSender, failure: Failure) -> None:
    sender.script(URL, Outcome(failure=failure, error="a reason"))
    with pytest.raises(CallbackUnverified, match=r"curl_errno = [1-9]\d*; curl_error = \w.*; HTTP Status Code = 0$"):
        await verify_callback(sender, URL, "token", CHALLENGE)


def test_own_query_parameters_are_kept_as_they_are() -> None:
    url = challenge_url("https://h.example:8443/p%2Fq?a=1&b=%20x&a=2#part", "t", 7)
    assert url.startswith("https://h.example:8443/p%2Fq?a=1&b=%20x&a=2&hub.mode=subscribe")
    assert parse_qsl(urlsplit(url).query)[-3:] == [("hub.mode", "subscribe"), ("hub.challenge", "7"), ("hub.verify_token", "t")]
    assert urlsplit(url).fragment == ""


def test_a_callback_without_path_is_fine() -> None:
    assert challenge_url("http://h.example", "t", 7) == ("http://h.example?hub.mode=subscribe&hub.challenge=7&hub.verify_token=t")
