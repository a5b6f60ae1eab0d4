"""A neighbour of the calls edge as data, in the words of `contract.py`. Each part's edges stand in a module of their own here.

Errors are the same on every edge, so an edge says only what it takes and what it answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from pagecalls.graph.openapi import contract
from pagecalls.graph.openapi.contract import AnswerRow, Member, Schema
from pagecalls.http import JsonObject


@dataclass(frozen=True, slots=True)
class Edge:
    """One verb of one edge. `body` `None`: it takes no body. `examples`: bodies that can be sent in development mode.

    `places`: what stands in the path between braces. Off Page edges errors stand under `error` alone (ruling 2).
    """

    path: str
    method: str
    operation_id: str
    summary: str
    text: str
    answer: Schema
    answer_text: str
    query: tuple[Member, ...] = ()
    body: Schema | None = None
    examples: tuple[JsonObject, ...] = ()
    places: tuple[Member, ...] = (contract.PAGE_ID,)
    is_page_edge: bool = True
    needs_token: bool = True

    @property
    def answers(self) -> tuple[AnswerRow, ...]:
        """One row for each HTTP status."""
        return (AnswerRow(200, self.answer_text, self.answer), *contract.REFUSALS)

    @property
    def schemas(self) -> tuple[Schema, ...]:
        """Those that are the edge's own."""
        return (self.answer,) if self.body is None else (self.body, self.answer)
