"""The handshake that proves a callback URL: a GET with a challenge that must come back (graph-platform 7.3)."""

from __future__ import annotations

from http import HTTPStatus
from typing import assert_never
from urllib.parse import urlencode, urlsplit, urlunsplit

from pagecalls.errors import CallbackUnverified
from pagecalls.webhooks.base import VERIFY_TIMEOUT_S, Failure, Outcome, Sender

_SHOWN_CHARACTERS = 100
"""How much of a wrong answer is shown to the caller."""


async def verify_callback(sender: Sender, url: str, verify_token: str, challenge: int) -> None:
    """Return if the receiver echoes `challenge`; raise `CallbackUnverified` otherwise, after 4 s at the latest."""
    judge(await sender.get(challenge_url(url, verify_token, challenge), total_timeout_s=VERIFY_TIMEOUT_S), challenge)


def judge(outcome: Outcome, challenge: int) -> None:
    """Raise `CallbackUnverified` if the answer is not an echo of `challenge`."""
    if outcome.failure is not None:
        raise CallbackUnverified(f"{_FAILED}: {_curl_words(outcome)}")
    if outcome.status != HTTPStatus.OK:
        raise CallbackUnverified(f"{_FAILED}: HTTP Status Code = {outcome.status}; HTTP Message = {_message(outcome)}")
    # One well-known client answers with a JSON number, another with plain text, others put it in quotes.
    received = outcome.body.decode("utf-8", "replace").strip().strip('"').strip()
    if received != str(challenge):
        raise CallbackUnverified(
            "The URL couldn't be validated. Response does not match challenge, "
            f'expected value="{challenge}", received="{received[:_SHOWN_CHARACTERS]}"'
        )


_FAILED = "Callback verification failed with the following errors"


def challenge_url(url: str, verify_token: str, challenge: int) -> str:
    """The callback URL with its own query parameters kept and `hub.*` appended; a fragment is dropped."""
    parts = urlsplit(url)
    ours = urlencode({"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token})
    query = f"{parts.query}&{ours}" if parts.query else ours
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _message(outcome: Outcome) -> str:
    """The reason phrase; HTTP/1.1 lets a server leave it out, and then the usual one stands in."""
    if outcome.reason or outcome.status is None:
        return outcome.reason
    try:
        return HTTPStatus(outcome.status).phrase
    except ValueError:
        return ""


def _curl_words(outcome: Outcome) -> str:
    number, text = _curl_error(outcome)
    return f"curl_errno = {number}; curl_error = {text}; HTTP Status Code = 0"


def _curl_error(outcome: Outcome) -> tuple[int, str]:
    """The platform reports transport faults in curl's numbers, and so do we."""
    match outcome.failure:
        case Failure.TIMEOUT:
            return 28, "Operation timed out"
        case Failure.NAME:
            return 6, "Couldn't resolve host name"
        case Failure.CONNECT:
            return 7, "Couldn't connect to server"
        case Failure.TLS:
            return 60, f"SSL problem: {outcome.error}"
        case Failure.NOT_ALLOWED:
            return 7, f"Couldn't connect to server: {outcome.error}"
        case Failure.BAD_URL:
            return 3, "URL using bad/illegal format or missing URL"
        case Failure.BROKEN | None:
            return 56, "Failure when receiving data from the peer"
        case _:
            assert_never(outcome.failure)
