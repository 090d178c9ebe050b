"""What a reply and a record are worth, in the words that model and network share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from signfed.app.runs.json_files import as_json

UNTOLD = ("seconds", "uplink_bytes", "downlink_bytes")  # of a record; not the model's business
Life = tuple[int, int]  # a node's id, and which of its lives: a memory ends with one


class Violation(AssertionError):
    """Something is not as it should be. name: of the invariant."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


@dataclass
class Result:
    """What came of a scenario. trace: SHA-256 of all records and of the model."""

    rounds: int = 0
    attempts: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    end: str = ""
    trace: str = ""


@dataclass(frozen=True)
class Content:
    """What a train reply holds: rows, faults of rows, or the word that the node cannot follow."""

    rows: dict[int, np.ndarray] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)
    lacking: bool = False


@dataclass(frozen=True)
class Outcome:
    """What the server ought to make of a reply: drop all for one of the reasons, or use it."""

    reasons: frozenset[str] = frozenset()
    content: Content | None = None

    @classmethod
    def of(cls, reason: str) -> Outcome:
        return cls(frozenset({reason}))


@dataclass
class Request:
    """A training request that the server has sent."""

    node: int
    partition: int
    round: int
    version: int
    keep: bool
    steps: int | None


def bare(line: Mapping[str, Any]) -> str:
    """A record as it is written, without what is not the model's business; names in order."""
    told = {name: value for name, value in line.items() if name not in UNTOLD}
    return json.dumps(as_json(told), sort_keys=True)


def difference(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> list[str]:
    """Names of the tensors that are not the same to the last bit."""
    names = sorted(set(one) | set(other))
    return [
        name for name in names
        if name not in one or name not in other or one[name].dtype != other[name].dtype
        or one[name].numpy().tobytes() != other[name].numpy().tobytes()
    ]  # fmt: skip
