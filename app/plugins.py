"""The chosen strategy, encoder and attack: by name or by module:Class, with their options."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from app.errors import ConfigError
from app.options import (
    ATTACK_OPTIONS,
    ENCODER_OPTIONS,
    PARTITION_OPTIONS,
    PRE_AGGREGATION_OPTIONS,
    STRATEGY_OPTIONS,
    Option,
    Value,
)
from app.task import PARTITIONS
from attacks import ATTACKS, craft, find
from attacks import build as build_attack
from clients import ENCODERS
from strategies import PRE_AGGREGATIONS, STRATEGIES, RobustStrategy
from strategies.registry import build


@dataclass(frozen=True)
class Plugin:
    """A rule, a pre-aggregation, an encoder or an attack by name, its arguments as sorted pairs."""

    name: str
    options: tuple[tuple[str, Value], ...] = ()


def strategy_plugin(values: Mapping[str, Any]) -> Plugin:
    """The strategy that was asked for; built later, since only a server needs it."""
    name = values["strategy"]
    return Plugin(name, _options(values, STRATEGY_OPTIONS, name, "strategy"))


def pre_aggregation_plugin(values: Mapping[str, Any]) -> Plugin:
    """The pre-aggregation that was asked for, "none" too; built with the strategy."""
    name = values["pre-aggregation"]
    return Plugin(name, _options(values, PRE_AGGREGATION_OPTIONS, name, "pre-aggregation"))


def partition_plugin(values: Mapping[str, Any]) -> Plugin:
    """The partition that was asked for, tried on a toy; raises ConfigError."""
    name = values["partition"]
    options = _options(values, PARTITION_OPTIONS, name, "partition")
    toy = np.arange(max(values["partition-labels"], 1))  # whether the data will do, they can tell
    _tried(PARTITION_OPTIONS, name, lambda: PARTITIONS[name](toy, 1, 0, **dict(options)))
    return Plugin(name, options)


def encoder_plugin(values: Mapping[str, Any]) -> Plugin:
    """The encoder that was asked for, tried; raises ConfigError."""
    name = values["encoder"]
    options = _options(values, ENCODER_OPTIONS, name, "encoder")
    if name != "auto":
        _tried(ENCODER_OPTIONS, name, lambda: ENCODERS[name](**dict(options)))
    return Plugin(name, options)


def attack_plugin(values: Mapping[str, Any], *, epoch: int) -> Plugin:
    """The attack that was asked for, tried with all that it is made of; raises ConfigError.

    epoch: rounds in which a worker goes through its data once.
    """
    name = values["attack"]
    names = made_of(name, values)
    options = {}
    for key, option in ATTACK_OPTIONS.items():
        owners = set(option.owners) & set(names)
        if values[key] != option.default and not owners:
            belongs = " or ".join(map(repr, option.owners))
            raise ConfigError(f"{key}: belongs to attack={belongs}, but attack is {name!r}")
        value = epoch if key == "time-varying-period" and values[key] == 0 else values[key]
        for owner in owners:
            options[option.argument if owner == name else f"{owner}.{option.argument}"] = value
    for each in names:
        own = {option.argument: values[key] for key, option in _of(each, ATTACK_OPTIONS)}
        _tried(ATTACK_OPTIONS, each, partial(_try_attack, each, own))
    return Plugin(name, tuple(sorted(options.items())))


def _try_attack(name: str, options: Mapping[str, Value]) -> None:
    """On a toy: the attack itself knows what its options can be."""
    plain = build_attack(name, **options)
    if name not in ATTACKS or plain.parts:
        return  # a user's own may count on a model's size; parts are tried by themselves
    own = np.ones((1, 8), np.int64 if plain.stage == "data" else np.float32)
    honest = np.ones((4, 8), np.float32)
    craft(name, own, honest, n_total=5, seed=0, n_classes=2, **options)


def made_of(name: str, values: Mapping[str, Any]) -> list[str]:
    """The attack and those that it is made of, each once; raises ConfigError."""
    defaults = {key: option.default for key, option in ATTACK_OPTIONS.items()}
    values, names = defaults | dict(values), [name]
    for each in names:  # grows on the way
        try:
            parts = find(each).parts
        except ValueError as error:
            raise ConfigError(f"attack={name!r}: {error}") from error
        for key, option in ATTACK_OPTIONS.items():
            if each in option.owners and option.argument in parts:
                found = [part.strip() for part in str(values[key]).split(",")]
                names += [part for part in found if part not in names]
    return names


def new_strategy(
    plugin: Plugin,
    mixer: Plugin,
    *,
    n_byzantine: int,
    seed: int,
    num_workers: int,
    num_rounds: int,
) -> RobustStrategy:
    """The strategy object, behind its pre-aggregation if there is one.

    Imports the user's own module when it is named module:Class.

    Raises ConfigError when there is no such class, or its arguments or the run cannot be.
    """
    name = plugin.name
    kind = STRATEGIES[name] if name in STRATEGIES else _own_strategy(name)
    try:
        common = {"n_byzantine": n_byzantine, "seed": seed}
        strategy = build(kind, **common, **dict(plugin.options))
        if mixer.name != "none":
            mixed = PRE_AGGREGATIONS[mixer.name]
            strategy = build(mixed, strategy, **common, **dict(mixer.options))
        strategy.check(num_workers, num_rounds)
    except (TypeError, ValueError) as error:
        text = str(error)
        for key, option in (STRATEGY_OPTIONS | PRE_AGGREGATION_OPTIONS).items():
            if {name, mixer.name} & set(option.owners):
                text = text.replace(f"{option.argument}:", f"{key}:")
        raise ConfigError(f"strategy={name!r}: {text}") from error
    if strategy.encoder not in ENCODERS:
        raise ConfigError(
            f"strategy={name!r}: expected an encoder among {', '.join(ENCODERS)}; "
            f"got {strategy.encoder!r}"
        )
    return strategy


def _options(
    values: Mapping[str, Value], table: Mapping[str, Option], name: str, kind: str
) -> tuple[tuple[str, Value], ...]:
    """Keyword arguments of the rule or attack in use; one of another that was set is an error."""
    found = []
    for key, option in table.items():
        if name in option.owners:
            found.append((option.argument, values[key]))
        elif values[key] != option.default:
            owners = " or ".join(map(repr, option.owners))
            raise ConfigError(f"{key}: belongs to {kind}={owners}, but {kind} is {name!r}")
    return tuple(sorted(found))


def _of(name: str, table: Mapping[str, Option]) -> list[tuple[str, Option]]:
    return [(key, option) for key, option in table.items() if name in option.owners]


def _tried(table: Mapping[str, Option], name: str, call: Callable[[], object]) -> None:
    """The attack or encoder itself knows what its options can be: try it on a toy."""
    try:
        call()
    except ValueError as error:
        text = str(error)
        for key, option in _of(name, table):
            if text.startswith(f"{option.argument}:"):
                raise ConfigError(text.replace(option.argument, key, 1)) from error
        keys = ", ".join(key for key, _ in _of(name, table))
        raise ConfigError(f"{keys}: {text}") from error


def _own_strategy(path: str) -> type[RobustStrategy]:
    module_name, _, class_name = path.partition(":")
    try:
        kind = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"strategy={path!r}: {error}; expected module:Class, the module's file in the folder "
            "of pyproject.toml or in the one where you start"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, RobustStrategy)):
        raise ConfigError(f"strategy={path!r}: expected a subclass of strategies.RobustStrategy")
    return kind
