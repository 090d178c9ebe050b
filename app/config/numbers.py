"""Keys whose text is a list of numbers: rounds, and the ids of workers."""

from __future__ import annotations

from signfed.app.config.shared import Shared
from signfed.app.errors import ConfigError
from signfed.strategies.core.seeds import generator


def milestones(text: str) -> tuple[int, ...]:
    """Read the rounds of `lr-milestones`, ascending.

    Parameters
    ----------
    text : str
        `40,80`, or nothing.

    Returns
    -------
    tuple of int

    Raises
    ------
    ConfigError
        When it is something else.

    Examples
    --------
    >>> milestones("80,40")
    (40, 80)
    """
    rounds = whole_numbers(text) if text else ()
    if rounds is None:
        raise ConfigError(f"lr-milestones: expected rounds such as '40,80'; got {text!r}")
    return tuple(sorted(rounds))


def byzantine_ids(keys: Shared) -> tuple[int, ...]:
    """Return the Byzantine workers, ascending; none without an attack.

    Parameters
    ----------
    keys : Shared
        With `byzantine_ids`, a text, and how many they are.

    Raises
    ------
    ConfigError
        When the text names no such workers.
    """
    text, count, workers = keys.byzantine_ids, keys.num_byzantine, keys.num_workers
    if keys.attack == "none":
        return ()
    if text == "first":
        return tuple(range(count))
    if text == "random":
        chosen = generator(keys.seed, "byzantine").choice(workers, count, replace=False)
        return tuple(sorted(chosen.tolist()))
    ids = whole_numbers(text)
    if ids is None:
        raise ConfigError(f"byzantine-ids: expected first, random or ids like '0,3'; got {text!r}")
    if len(set(ids)) != count or len(ids) != count or max(ids) >= workers:
        raise ConfigError(
            f"byzantine-ids: expected num-byzantine = {count} different ids below {workers}; "
            f"got {text!r}"
        )
    return tuple(sorted(ids))


def whole_numbers(text: str) -> tuple[int, ...] | None:
    """Return `0,3,5` as numbers; None where it is something else."""
    parts = [part.strip() for part in text.split(",")]
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else None
