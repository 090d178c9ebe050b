"""Every run-config key: its default, what it may be, and what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.options import OPTIONS, Value
from app.task import TASKS
from app.task.gradients import PRECISIONS
from attacks import ATTACKS
from clients import ENCODERS
from strategies import PRE_AGGREGATIONS, STRATEGIES
from strategies.step import SCHEDULES


class ConfigError(ValueError):
    """The user asked for something that cannot be; the text says what would do."""


@dataclass(frozen=True)
class Key:
    """A run-config key: default (which fixes the type), what is allowed, and the help text."""

    default: Value
    help: str
    expected: str = ""
    allows: Callable[[Any], bool] = lambda value: True


def one_of(default: str, names: Mapping[str, object] | tuple[str, ...], help: str) -> Key:
    return Key(default, help, f"one of {', '.join(names)}", lambda value: value in names)


def at_least(low: float, default: float, help: str) -> Key:
    kind = "a whole number" if isinstance(default, int) else "a number"
    return Key(default, help, f"{kind} of at least {low}", lambda value: low <= value < np.inf)


def above_zero(default: float, help: str) -> Key:
    return Key(default, help, "a number above 0", lambda value: 0 < value < np.inf)


def share(default: float, help: str) -> Key:
    return Key(default, help, "a number in (0, 1]", lambda value: 0 < value <= 1)


def own_or_one_of(default: str, names: Mapping[str, object], kind: str, help: str) -> Key:
    expected = f"one of {', '.join(names)}, or your own as module:{kind}"
    return Key(default, help, expected, lambda value: value in names or ":" in value)


KEYS: dict[str, Key] = {
    "task": one_of("digits", TASKS, "data set"),
    "model": Key("auto", "network; auto takes the task's own"),
    "data-dir": Key("data", "folder with the data sets (not for digits)"),
    "download": Key(False, "whether missing data may be downloaded"),
    "num-workers": at_least(1, 15, "workers in the federation, M"),
    "num-byzantine": at_least(0, 6, "how many of them lie"),
    "byzantine-ids": Key("first", "who lies: first, random, or worker ids such as '0,3,5'"),
    "assumed-byzantine": at_least(-1, -1, "f that the rule reckons with; -1: num-byzantine"),
    "strategy": own_or_one_of("sign-fd", STRATEGIES, "Class", "the server's rule"),
    "pre-aggregation": one_of(
        "none", ("none", *PRE_AGGREGATIONS), "what mixes the rows before the rule gets them"
    ),
    "election-batch": share(
        1.0, "election: rho, the share of batch-size that a partition's gradient takes"
    ),
    "encoder": one_of("auto", ("auto", *ENCODERS), "wire form; auto takes what the rule asks for"),
    "worker-momentum": Key(
        0.0, "beta of Signum: momentum before the encoder", "a number in [0, 1)",
        lambda value: 0 <= value < 1,
    ),
    "attack": own_or_one_of("sign-inversion", ATTACKS, "function", "what the Byzantine workers do"),
    "num-rounds": at_least(1, 300, "rounds"),
    "batch-size": at_least(1, 64, "samples per worker and round"),
    "lr": above_zero(0.001, "learning rate"),
    "momentum": Key(0.0, "momentum", "a number in [0, 1)", lambda value: 0 <= value < 1),
    "lr-schedule": one_of("constant", SCHEDULES, "lr_t: lr, lr/sqrt(t), or lowered at milestones"),
    "lr-milestones": Key("", "rounds after which steps multiplies the rate, such as '40,80'"),
    "lr-gamma": above_zero(0.1, "what steps multiplies the rate by"),
    "weight-decay": at_least(0.0, 0.0, "weight decay"),
    "evaluate-every": at_least(1, 10, "rounds between two central evaluations"),
    "checkpoint-every": at_least(0, 50, "rounds between two checkpoints; 0: only at the end"),
    "fraction-train": share(1.0, "share of the workers that a round asks, drawn anew each round"),
    "quorum": share(0.5, "share of the workers asked without which a round is skipped"),
    "round-timeout": above_zero(300.0, "seconds to wait for a round's replies"),
    "node-timeout": above_zero(300.0, "seconds to wait for all nodes before round 1"),
    "seed": Key(
        0, "of the shards, the model, the batches and the attacks",
        "a whole number from 0 to 2^63 - 1", lambda value: 0 <= value < 2**63,
    ),
    "device": one_of("auto", ("auto", "cpu", "cuda"), "where gradients are computed"),
    "precision": one_of("float32", PRECISIONS, "of the gradients' matrix products"),
    "out-dir": Key("", "run folder; empty: a new one below ~/signfed-runs"),
    "resume": Key("", "run folder, or one of its checkpoints, to go on with"),
} | {
    name: Key(option.default, f"{', '.join(option.owners)}: {option.help}")
    for name, option in OPTIONS.items()
}  # fmt: skip


def defaults() -> dict[str, Value]:
    """Every key with its default: what `[tool.flwr.app.config]` of pyproject.toml holds."""
    return {name: key.default for name, key in KEYS.items()}


def check_values(given: Mapping[str, Value]) -> dict[str, Any]:
    """All keys with their values, each checked by itself: name, type, range.

    A missing key takes its default; a whole number will do for a float. Raises ConfigError at the
    first key that cannot be, with what would do.
    """
    values = defaults()
    for name, value in given.items():
        if name not in KEYS:
            raise ConfigError(f"unknown key {name!r}; expected one of {', '.join(KEYS)}")
        kind = type(values[name])
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise ConfigError(
                f"{name}: expected a value of type {kind.__name__}, such as "
                f"{values[name]!r}; got {value!r}"
            )
        values[name] = value
    for name, key in KEYS.items():
        if not key.allows(values[name]):
            raise ConfigError(f"{name}: expected {key.expected}; got {values[name]!r}")
    return values
