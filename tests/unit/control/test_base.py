from __future__ import annotations

import pytest
from msgspec import Struct

from pagecalls.control.base import Refusal, Refused, decode
from tests.unit.control.support import TOKEN, Desk


class Shape(Struct):
    number: int


def test_decoding() -> None:
    assert decode(b'{"number":1}', Shape).number == 1
    with pytest.raises(Refused) as caught:
        decode(b"", Shape)
    assert caught.value.refusal is Refusal.BAD_REQUEST
    assert "number" in caught.value.message


def test_every_refusal_has_a_status() -> None:
    assert {Refused(refusal, "x").response.status for refusal in Refusal} == {400, 401, 403, 404, 405, 409, 503, 413, 500}


def test_no_token_in_a_repr() -> None:
    assert TOKEN not in repr(Desk().parts)
