"""Secrets are compared without telling how much of them was right, and nowhere written down by accident."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pagecalls.logs import redact
from tests.scenarios.conftest import World

SOURCE = Path(__file__).parents[2] / "src" / "pagecalls"
SECRET_WORDS = ("secret", "token", "proof", "signature", "password", "key", "digest", "mac", "code_hash")
"""Ends of names that hold secrets, or what is derived from them."""
NO_SECRETS = {
    # What is compared here is no secret of the server's, or is compared by the holder himself.
    "graph/auth.py": {"token == around.token"},
    "graph/batch.py": {"member.token == around.token"},
    "switchboard/media.py": {"reply.digest == digest"},
}


def comparisons(path: Path) -> Iterator[str]:
    """`==` and `!=` between two things of which one is named like a secret, and the other is no constant."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare) and all(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops):
            sides = [node.left, *node.comparators]
            if any(_is_constant(side) for side in sides):
                continue
            if any(_name(side).lower().endswith(SECRET_WORDS) for side in sides):
                yield ast.unparse(node)


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
        case ast.Call():
            return _name(node.func)
        case _:
            return ""


def _is_constant(node: ast.expr) -> bool:
    is_enum_member = isinstance(node, ast.Attribute) and node.attr.isupper()
    return isinstance(node, ast.Constant | ast.Tuple) or is_enum_member or (isinstance(node, ast.Name) and node.id.isupper())


FACES = sorted(path for folder in ("graph", "consumer", "control", "switchboard") for path in (SOURCE / folder).rglob("*.py"))


@pytest.mark.parametrize("path", FACES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_secrets_are_compared_in_constant_time(path: Path) -> None:
    """With `hmac.compare_digest`; or not at all, where a digest is looked up."""
    assert set(comparisons(path)) <= NO_SECRETS.get(str(path.relative_to(SOURCE)), set())


def test_the_search_finds_what_it_looks_for() -> None:
    found = list(comparisons(SOURCE / "graph" / "auth.py"))
    assert found == ["token == around.token"]


@pytest.mark.parametrize(
    "line",
    [
        "GET /v26.0/me?access_token=EAAsecret HTTP/1.1",
        "?oauth_token=EAAsecret&x=1",
        '{"access_token": "EAAsecret"}',
        "Authorization: Bearer EAAsecret",
        "authorization: OAuth EAAsecret",
        "client_secret=EAAsecret",
        "appsecret_proof=EAAsecret",
        "hub.verify_token=EAAsecret",
        "input_token=EAAsecret",
        "fb_exchange_token=EAAsecret",
        "admin_token='EAAsecret'",
        "a=ice-pwd:EAAsecret",
    ],
)
def test_no_secret_reaches_a_log(line: str) -> None:
    assert "EAAsecret" not in redact(line)


async def test_files_with_secrets_are_their_owners_alone(world: World) -> None:
    for path in world.folder.rglob("*"):
        if path.is_file() and path.name != "lock":
            assert path.stat().st_mode & 0o077 == 0 or world.folder.stat().st_mode & 0o077 == 0, path
    assert world.folder.stat().st_mode & 0o777 == 0o700
