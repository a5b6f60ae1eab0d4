"""What is over and may go, and how much room the database takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Past(StrEnum):
    """Kinds of rows that go when they are old. The value names the table."""

    CALLS = "calls"
    """By the end of the call. One whose webhooks are still owed stays. What belongs to the call goes with it."""
    OUTBOX = "outbox"
    """Delivered or dropped webhooks, by the time of that; their attempts go with them. An owed one is never among them, nor one
    that is to be sent once more."""
    CONSUMER_TOKENS = "consumer_tokens"
    """By their expiry."""
    TOKENS = "tokens"
    """By their expiry; one without stays."""
    CALL_BUTTONS = "call_buttons"
    """By their expiry."""
    MESSAGES = "messages"
    """By their age."""
    PERMISSION_REQUESTS = "permission_requests"
    """By their age, whatever became of them."""


@dataclass(frozen=True, slots=True)
class Room:
    """The size of the database file, and how much of it is free for new rows, in bytes."""

    file_bytes: int
    free_bytes: int


class UpkeepRows(Protocol):
    """What a unit of work does with what is over."""

    def forget(self, past: Past, before: float, limit: int) -> int:
        """Delete at most `limit` rows of that kind that were over before then, Unix seconds, oldest first. How many."""
        ...

    def settled_outbox(self) -> int:
        """How many webhooks are delivered or dropped."""
        ...

    def room(self) -> Room:
        """How much room the database takes now."""
        ...
