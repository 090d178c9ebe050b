"""Every pre-aggregation by name, and several in a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from signfed.strategies.arc import ARC
from signfed.strategies.bucketing import Bucketing
from signfed.strategies.clipping import Clipping
from signfed.strategies.core.options import OptionError, options_of
from signfed.strategies.nnm import NearestNeighbourMixing
from signfed.strategies.server.strategy import RobustStrategy

PRE_AGGREGATIONS: dict[str, Callable[..., RobustStrategy]] = {
    "bucketing": Bucketing,
    "nnm": NearestNeighbourMixing,
    "clipping": Clipping,
    "arc": ARC,
}


def in_a_row(text: str) -> tuple[str, ...]:
    """Read the names of pre-aggregations.

    Parameters
    ----------
    text : str
        "none", or keys of `PRE_AGGREGATIONS` with commas between.

    Returns
    -------
    tuple of str
        In the order in which they see the rows.

    Raises
    ------
    ValueError
        For an unknown name.

    Examples
    --------
    >>> in_a_row("clipping, nnm"), in_a_row("none")
    (('clipping', 'nnm'), ())
    """
    names = tuple(name.strip() for name in text.split(",") if text != "none")
    if not set(names) <= set(PRE_AGGREGATIONS):
        expected = ", ".join(["none", *PRE_AGGREGATIONS])
        raise ValueError(
            f"expected one of {expected}, or some in a row, 'clipping,nnm'; got {text!r}"
        )
    return names


def chosen(text: str, given: Mapping[str, object]) -> list[tuple[str, dict[str, object]]]:
    """Name pre-aggregations, each with those of the given options that are its own.

    Parameters
    ----------
    text : str
        As for `in_a_row`.
    given : Mapping
        Options; `owner.option` belongs to one of them, `option` to all that have it.

    Returns
    -------
    list of (str, dict)

    Raises
    ------
    OptionError
        For an option that none of them has.
    ValueError
        For an unknown name.

    Examples
    --------
    >>> chosen("clipping,nnm", {"threshold": 1.0})
    [('clipping', {'threshold': 1.0}), ('nnm', {})]
    """
    try:
        names = in_a_row(text)
    except ValueError as error:
        raise ValueError(f"pre_aggregation: {error}") from None
    if given and not names:
        raise OptionError(
            f"pre_aggregation_options: expected none without a pre-aggregation; got {dict(given)}"
        )
    has = {name: [o.name for o in options_of(PRE_AGGREGATIONS[name])] for name in names}
    taken: dict[str, dict[str, object]] = {name: {} for name in names}
    for key, value in given.items():
        owner, _, option = key.rpartition(".")
        owners = [name for name in names if owner in ("", name) and option in has[name]]
        if not owners:
            expected = ", ".join(option for options in has.values() for option in options)
            raise OptionError(f"{text} has no option {key!r}; expected {expected or 'none'}")
        for name in owners:
            taken[name][option] = value
    return [(name, taken[name]) for name in names]
