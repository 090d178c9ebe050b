"""The chosen rule, pre-aggregation, encoder, partition and attack, by name, with their options."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from signfed.app.config.keys import KEYS, chosen
from signfed.app.errors import ConfigError
from signfed.attacks import ATTACKS, find
from signfed.clients import ENCODERS
from signfed.strategies.core.options import OptionError, Value, known
from signfed.strategies.registry import PRE_AGGREGATIONS, STRATEGIES, build
from signfed.strategies.server.strategy import RobustStrategy

PAIR = re.compile(r"""(\S+?)=('[^']*'|"[^"]*"|\S+)""")


@dataclass(frozen=True)
class Plugin:
    """A rule, a pre-aggregation, an encoder or an attack by name, its arguments as sorted pairs."""

    name: str
    options: tuple[tuple[str, Value], ...] = ()


def plugin(values: Mapping[str, Value], kind: str) -> Plugin:
    """The one of this kind that was asked for. Raises ConfigError for options of others."""
    name = str(values[kind])
    options = chosen(values, kind, name)[name]
    if own := str(values.get(f"{kind}-options", "")):
        if ":" not in name:
            raise ConfigError(
                f"{kind}-options: belongs to your own {kind}, module:name, but {kind} is {name!r}, "
                f"whose options are {_keys_of(name) or 'none'}"
            )
        options = own_options(f"{kind}-options", own)
    return Plugin(name, tuple(sorted(options.items())))


def own_options(key: str, text: str) -> dict[str, Value]:
    """`radius=3.0 mode="soft"` as a dictionary; values are written as in TOML.

    >>> own_options("strategy-options", "radius=3.0 mode='soft'")
    {'radius': 3.0, 'mode': 'soft'}
    """
    pairs = PAIR.findall(text)
    try:
        if PAIR.sub("", text).strip():
            raise ValueError("something is left over")
        found = tomllib.loads("\n".join(f"{name} = {value}" for name, value in pairs))
    except ValueError as error:
        raise ConfigError(
            f"{key}: expected pairs such as 'radius=3.0 mode=\"soft\"', with quotation marks "
            f"around text; got {text!r} ({error})"
        ) from None
    return {name.replace("-", "_"): value for name, value in found.items()}


def encoder_options(values: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """Encoder -> options, for those that may be in use: with "auto", the one the rule asks for."""
    name, rule = str(values["encoder"]), str(values["strategy"])
    if name != "auto":
        return chosen(values, "encoder", name)
    asked = [STRATEGIES[rule].encoder] if rule in STRATEGIES else list(ENCODERS)
    return chosen(values, "encoder", *asked)


def attack_plugin(values: Mapping[str, Value], *, epoch: int) -> Plugin:
    """The attack that was asked for, with the options of the attacks that it is made of.

    epoch: rounds in which a worker goes through its data once.
    """
    name = str(values["attack"])
    names = made_of(name, values)
    if ":" in name or values["attack-options"]:
        return _own_attack(plugin(values, "attack"))
    options: dict[str, Value] = {}
    for owner, own in chosen(values, "attack", *names).items():
        if owner == "time-varying" and own["period"] == 0:
            own["period"] = epoch
        prefix = "" if owner == name else f"{owner}."
        options |= {prefix + option: value for option, value in own.items()}
    return Plugin(name, tuple(sorted(options.items())))


def _own_attack(attack: Plugin) -> Plugin:
    try:
        find(attack.name).bind(**dict(attack.options))
    except OptionError as error:
        raise ConfigError(f"attack-options: {error}") from None
    return attack


def made_of(name: str, values: Mapping[str, Any]) -> list[str]:
    """The attack and those that it is made of, each once. Raises ConfigError for an unknown one."""
    names = [name]
    for each in names:  # grows on the way
        try:
            attack = find(each)
        except ValueError as error:
            raise ConfigError(f"attack={name!r}: {error}") from error
        for part in attack.parts if each in ATTACKS else ():
            key = KEYS[f"{each}.{part}"]
            listed = [one.strip() for one in str(values.get(key.name, key.default)).split(",")]
            names += [one for one in listed if one not in names]
    return names


def strategy_class(name: str) -> type[RobustStrategy]:
    """The rule of that name, or the user's own as module:Class, which is imported."""
    return STRATEGIES[name] if name in STRATEGIES else _own_strategy(name)


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

    Raises ConfigError when there is no such class, or it cannot serve the run.
    """
    name, kind = plugin.name, strategy_class(plugin.name)
    common = {"n_byzantine": n_byzantine, "seed": seed}
    try:
        known(kind, name, dict(plugin.options))
        strategy = build(kind, **common, **dict(plugin.options))
        if mixer.name != "none":
            mixed = PRE_AGGREGATIONS[mixer.name]
            strategy = build(mixed, strategy, **common, **dict(mixer.options))
        strategy.check(num_workers, num_rounds)
    except OptionError as error:
        raise ConfigError(f"strategy-options: {error}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"strategy={name!r}: {error}") from error
    if strategy.encoder not in ENCODERS:
        raise ConfigError(
            f"strategy={name!r}: expected an encoder among {', '.join(ENCODERS)}; "
            f"got {strategy.encoder!r}"
        )
    return strategy


def _own_strategy(path: str) -> type[RobustStrategy]:
    module_name, _, class_name = path.partition(":")
    try:
        kind = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, TypeError, ValueError, SyntaxError) as error:
        raise ConfigError(
            f"strategy={path!r}: {error}; expected module:Class, the module's file in the folder "
            "of pyproject.toml or in the one where you start"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, RobustStrategy)):
        raise ConfigError(f"strategy={path!r}: expected a subclass of signfed.RobustStrategy")
    return kind


def _keys_of(name: str) -> str:
    return ", ".join(key.name for key in KEYS.values() if key.kind and key.option.owner == name)
