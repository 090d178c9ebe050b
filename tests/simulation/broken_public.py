"""What only public apps do, with one check removed each; see `broken.py`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch

from signfed.clients.mods import once
from signfed.strategies.server import drop_in
from signfed.strategies.server.transport import wire
from signfed.strategies.server.transport.sampling import Nodes


def _trusting_wire() -> SimpleNamespace:
    return SimpleNamespace(is_from=lambda reply, node: True, Malformed=wire.Malformed)


def _forgetful(whole: Any) -> Any:
    return lambda self, grid, state: whole(self, grid, {})


def _unseen(whole: Any) -> Any:
    def gather(self: Nodes, grid: Any, state: dict[str, Any]) -> None:
        never = {"there": torch.zeros_like(state["there"])} if state else {}
        whole(self, grid, state | never)

    return gather


def _untold(whole: Any) -> Any:
    return lambda self: whole(self)[:0]


def _lenient(whole: Any) -> Any:
    def answered(*arguments: Any) -> Any:
        found = whole(*arguments)
        return None if found is None or found.has_error() else found

    return answered


OF_PUBLIC: dict[str, tuple[str, Any]] = {
    "an evaluation counts, whoever sends it": (
        "record", lambda: patch.object(drop_in, "wire", _trusting_wire()),
    ),
    "a resumed run numbers its nodes anew": (
        "model", lambda: patch.object(Nodes, "gather", _forgetful(Nodes.gather)),
    ),
    "a rule is not told whom to forget": (
        "record", lambda: patch.object(Nodes, "forget", _untold(Nodes.forget)),
    ),
    "a resumed run does not know who was there": (
        "model", lambda: patch.object(Nodes, "gather", _unseen(Nodes.gather)),
    ),
    "a doubled message advances what a mod remembers": (
        "node", lambda: patch.object(once, "answered", lambda *arguments: None),
    ),
    "a message that comes again after later ones is worked on": (
        "node", lambda: patch.object(once, "answered", _lenient(once.answered)),
    ),
}  # fmt: skip
