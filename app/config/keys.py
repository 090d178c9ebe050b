"""Every run-config key, from where it is declared: in shared.py, or on its owner."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from typing import Any

from signfed.app.config.shared import Shared
from signfed.app.errors import ConfigError
from signfed.app.task import PARTITIONS, TASK_OPTIONS
from signfed.attacks import ATTACKS
from signfed.clients import ENCODERS
from signfed.strategies.core.options import Option, OptionError, Value, options_of
from signfed.strategies.pre_aggregations import PRE_AGGREGATIONS
from signfed.strategies.registry import STRATEGIES

# What may have options: the key that chooses it -> name -> constructor.
OWNERS: dict[str, Mapping[str, Callable[..., Any]]] = {
    "task": TASK_OPTIONS,
    "partition": PARTITIONS,
    "strategy": STRATEGIES,
    "pre-aggregation": PRE_AGGREGATIONS,
    "encoder": ENCODERS,
    "attack": {name: attack.function for name, attack in ATTACKS.items()},
}
KIND_OF = {owner: kind for kind, owners in OWNERS.items() for owner in owners}
_OPTIONS = options_of(Shared, given=()) + tuple(
    option
    for owners in OWNERS.values()
    for owner, constructor in owners.items()
    for option in options_of(constructor, owner)
)
KEYS: dict[str, Option] = {option.key: option for option in _OPTIONS}


def keys_of(owner: str) -> list[str]:
    """Return the keys of a rule, attack, encoder or partition; of "", those that belong to none."""
    return [key for key, option in KEYS.items() if option.owner == owner]


def defaults() -> dict[str, Value]:
    """Return every key with its default: what `[tool.flwr.app.config]` of pyproject.toml holds."""
    return {key: option.default for key, option in KEYS.items()}


def check_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check each key by itself: name, type, range.

    Parameters
    ----------
    given : mapping
        Run-config keys.

    Returns
    -------
    dict
        Every key; one that is not given has its default.

    Raises
    ------
    ConfigError
        At the first key that is wrong.
    """
    values = defaults()
    for key, value in given.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "no key is like it;"
            for kind in ("strategy", "attack"):
                if ":" in str(given.get(kind, "")):
                    hint += f" an option of your own {kind} goes into {kind}-options='{key}=...';"
            raise ConfigError(f"unknown key {key!r}: {hint} `signfed list` shows all keys")
        try:
            values[key] = KEYS[key].check(value, key)
        except OptionError as error:
            raise ConfigError(str(error)) from None
    return values


def shared(values: Mapping[str, Any]) -> Shared:
    """Return the shared keys among checked values."""
    return Shared(**{KEYS[key].name: values[key] for key in keys_of("")})


def chosen(values: Mapping[str, Any], kind: str, *names: str) -> dict[str, dict[str, Value]]:
    """Return the options of those of one kind that are in use.

    Parameters
    ----------
    values : mapping
        Every key, checked.
    kind : str
        "strategy", "attack", ...: a key of `OWNERS`.
    *names : str
        Those in use.

    Returns
    -------
    dict
        Name -> its options by argument.

    Raises
    ------
    ConfigError
        For an option that differs from its default and whose owner is not in use.
    """
    found: dict[str, dict[str, Value]] = {name: {} for name in names}
    for key, option in KEYS.items():
        if option.owner in found and KIND_OF[option.owner] == kind:
            found[option.owner][option.name] = values[key]
        elif KIND_OF.get(option.owner) == kind and values[key] != option.default:
            used = f" (in use: {', '.join(names)})" if names not in ((), (values[kind],)) else ""
            raise ConfigError(
                f"{key}: belongs to {kind}={option.owner!r}, but {kind} is {values[kind]!r}{used}"
            )
    return found


def as_toml() -> str:
    """Return `[tool.flwr.app.config]` of pyproject.toml: Flower takes no key that is not there."""
    tables = []
    for owner in dict.fromkeys(option.owner for option in KEYS.values()):
        head = f"[tool.flwr.app.config{'.' + owner if owner else ''}]"
        lines = [f"{k.removeprefix(f'{owner}.')} = {written(KEYS[k])}" for k in keys_of(owner)]
        tables.append("\n".join([head, *lines]))
    return "\n\n".join(tables) + "\n"


def as_markdown() -> str:
    """Return the table that docs/options.md holds: each key with default, range and meaning."""
    lines = ["| key | default | takes | meaning |", "|---|---|---|---|"]
    for key, option in KEYS.items():
        cells = (f"`{key}`", f"`{written(option)}`", option.expected, option.help)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def written(option: Option) -> str:
    """Return the default as one writes it in a run config."""
    return json.dumps(option.default)
