"""The chosen rule, pre-aggregation, encoder, partition and attack, by name, with their options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from signfed.app.config.keys import KEYS, chosen, keys_of
from signfed.app.config.pairs import read_pairs
from signfed.app.errors import ConfigError
from signfed.attacks import ATTACKS, find
from signfed.clients import ENCODERS
from signfed.strategies.core import own
from signfed.strategies.core.options import OptionError, settled
from signfed.strategies.pre_aggregations import in_a_row
from signfed.strategies.registry import STRATEGIES, before, build
from signfed.strategies.server.strategy import RobustStrategy


@dataclass(frozen=True)
class Plugin:
    """What was chosen by name, and its arguments as pairs."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def __hash__(self) -> int:
        return hash((self.name, repr(self.options)))  # a user's own option may be a list


def plugin(values: Mapping[str, Any], kind: str) -> Plugin:
    """Return the one of this kind that was chosen, with its options.

    Parameters
    ----------
    values : mapping
        Every key, checked. A user's own takes its options from the text under `kind`-options.
    kind : str
        "strategy", "attack", ...: a key of `OWNERS`.

    Raises
    ------
    ConfigError
        For options of one that is not in use, and for such a text beside a built-in one.
    """
    name = values[kind]
    options = chosen(values, kind, name)[name]
    if text := values.get(f"{kind}-options"):
        if ":" not in name:
            raise ConfigError(
                f"{kind}-options: belongs to your own {kind}, module:name, but {kind} is {name!r}, "
                f"whose options are {', '.join(keys_of(name)) or 'none'}"
            )
        pairs = read_pairs(f"{kind}-options", text)
        options = {key.replace("-", "_"): value for key, value in pairs.items()}
    return Plugin(name, tuple(sorted(options.items())))


def pre_aggregation_plugins(values: Mapping[str, Any]) -> tuple[Plugin, ...]:
    """Return the pre-aggregations that were chosen, each with its options.

    Parameters
    ----------
    values : Mapping
        Checked run-config keys.

    Returns
    -------
    tuple of Plugin
        In the order in which they see the rows.
    """
    names = in_a_row(values["pre-aggregation"])
    options = chosen(values, "pre-aggregation", *names)
    return tuple(Plugin(name, tuple(options[name].items())) for name in names)


def encoder_plugins(values: Mapping[str, Any]) -> tuple[Plugin, ...]:
    """Return each encoder that may be in use: with "auto", the one that the rule asks for."""
    names, rule = [values["encoder"]], values["strategy"]
    if names == ["auto"]:
        names = [STRATEGIES[rule].encoder] if rule in STRATEGIES else list(ENCODERS)
    options = chosen(values, "encoder", *names)
    return tuple(Plugin(name, tuple(options[name].items())) for name in names)


def attack_plugin(values: Mapping[str, Any], *, epoch: int) -> Plugin:
    """Return the attack that was chosen, with the options of the attacks that it is made of.

    Parameters
    ----------
    values : mapping
        Every key, checked.
    epoch : int
        Rounds in which a worker goes through its data once.

    Raises
    ------
    ConfigError
        For an unknown attack, and for options of one that is not in use.
    """
    name = values["attack"]
    names = made_of(name, values)
    if ":" in name or values["attack-options"]:
        attack = plugin(values, "attack")
        try:
            options = settled(find(name).function, name, dict(attack.options))
        except OptionError as error:
            raise ConfigError(f"attack-options: {error}") from None
        return Plugin(name, tuple(options.items()))
    options = {}
    for owner, given in chosen(values, "attack", *names).items():
        if owner == "time-varying" and given["period"] == 0:
            given["period"] = epoch
        prefix = "" if owner == name else f"{owner}."
        options |= {prefix + option: value for option, value in given.items()}
    return Plugin(name, tuple(sorted(options.items())))


def made_of(name: str, values: Mapping[str, Any]) -> list[str]:
    """Return the attack and those that it is made of, each once.

    Parameters
    ----------
    name : str
        As in the configuration, or module:function.
    values : mapping
        Run-config keys; "time-varying.attacks" and the like name the parts.

    Raises
    ------
    ConfigError
        For an unknown attack.
    """
    names = [name]
    for each in names:  # grows on the way
        try:
            attack = find(each)
        except ValueError as error:
            raise ConfigError(f"attack={name!r}: {error}") from error
        for part in attack.parts if each in ATTACKS else ():
            key = KEYS[f"{each}.{part}"]
            listed = [one.strip() for one in str(values.get(key.key, key.default)).split(",")]
            names += [one for one in listed if one not in names]
    return names


def new_strategy(
    plugin: Plugin,
    mixers: tuple[Plugin, ...],
    *,
    n_byzantine: int,
    seed: int,
    num_workers: int,
    num_rounds: int,
) -> RobustStrategy:
    """Build the strategy object, behind its pre-aggregation if there is one.

    Parameters
    ----------
    plugin : Plugin
        The rule.
    mixers : sequence of Plugin
        The pre-aggregations, in the order in which they see the rows.
    n_byzantine : int
        f, as the rule assumes it.
    seed : int
        Of the run.
    num_workers : int
        Workers that a round asks.
    num_rounds : int
        Rounds of the run.

    Raises
    ------
    ConfigError
        When there is no such class, or it cannot serve the run.
    """
    name, options = plugin.name, dict(plugin.options)
    kind = rule_class(name)
    common: dict[str, Any] = {"n_byzantine": n_byzantine, "seed": seed}
    try:
        strategy = build(kind, **common, **settled(kind, name, options))
        mixing = [(mixer.name, dict(mixer.options)) for mixer in mixers]
        strategy = before(strategy, mixing, **common)
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


def rule_class(name: str) -> type[RobustStrategy]:
    """Return the class of a rule.

    Parameters
    ----------
    name : str
        As in the configuration, or module:Class.

    Raises
    ------
    ConfigError
        When there is no such class, or it is no rule.
    """
    if name in STRATEGIES:
        return STRATEGIES[name]
    try:
        kind = own.load(name, "Class")
    except ValueError as error:
        raise ConfigError(f"strategy={name!r}: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, RobustStrategy)):
        raise ConfigError(f"strategy={name!r}: expected a subclass of signfed.RobustStrategy")
    return kind
