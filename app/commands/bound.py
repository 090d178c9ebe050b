"""`signfed bound`: lists the papers' bounds, or calls one with arguments given as key=value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_origin

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from signfed.app.errors import ConfigError
from signfed.strategies.bounds import BOUNDS
from signfed.strategies.bounds.domain import Argument

MAX_NUMBERS = 100_000  # of a list: 0.1x1000000000 is a typing error, not a federation


def bound(name: str | None, arguments: list[str], console: Console | None = None) -> None:
    """Print the value of a bound with its domain and reference; without a name, list all.

    Parameters
    ----------
    name : str or None
        A key of `BOUNDS`.
    arguments : list of str
        "key=value" each. A value is a number, a form, or a list such as 0.2,0.3 or 0.2x9,0.8x6
        (nine times 0.2, six times 0.8).
    console : rich.console.Console, optional
        Where to print; the screen by default.

    Raises
    ------
    ConfigError
        At the first thing that is wrong, with what was expected.
    """
    console = console or Console()
    if name is None:
        console.print(_all())
        return
    if name not in BOUNDS:
        raise ConfigError(f"unknown bound {name!r}; expected one of {', '.join(BOUNDS)}")
    chosen = BOUNDS[name]
    values = parse(name, arguments)
    try:
        value = chosen.function(**values)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}; domain: {chosen.domain}") from None
    except OverflowError:
        raise ConfigError(f"{name}: expected smaller numbers, the value overflows") from None
    shown = ", ".join(f"{number:.6g}" for number in np.atleast_1d(value))
    lines = [f"{name}({', '.join(arguments)}) = {shown}"]
    if why := chosen.invalid.get(values.get("form", "")):
        lines.append(f"not a bound: {why}")
    lines += [chosen.summary, f"domain: {chosen.domain}", f"reference: {chosen.reference}"]
    for line in lines:
        console.print(escape(line), soft_wrap=True, highlight=False)


def parse(name: str, arguments: list[str]) -> dict[str, Any]:
    """Read the keyword arguments of a bound, each in the type that its function declares.

    Parameters
    ----------
    name : str
        A key of `BOUNDS`.
    arguments : list of str
        "key=value" each.

    Returns
    -------
    dict
        Name -> value, a number, a list or a form.

    Raises
    ------
    ConfigError
        For a key that the bound does not have, a missing one, or a value of another type.
    """
    chosen = BOUNDS[name]
    parameters = chosen.parameters
    values: dict[str, Any] = {}
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals or key not in parameters:
            raise ConfigError(
                f"{name}: expected key=value with a key of {', '.join(parameters)}; "
                f"got {argument!r}"
            )
        if key in values:
            raise ConfigError(f"{name}: expected {key} once, got it twice")
        values[key] = _value(f"{name}: {key}", text, Argument.of(parameters[key]).kind)
    missing = [
        key
        for key, parameter in parameters.items()
        if parameter.default is parameter.empty and key not in values
    ]
    if missing:
        raise ConfigError(
            f"{name}: missing {', '.join(missing)}; domain: {chosen.domain}; for example: "
            f"signfed bound {name} {chosen.example}"
        )
    return values


def _value(label: str, text: str, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return text  # the bound itself checks the form
    reader, expected = READERS.get(kind, (_numbers, LIST))
    try:
        return reader(text)
    except ValueError:
        raise ConfigError(f"{label}: expected {expected}, got {text!r}") from None


def _numbers(text: str) -> float | list[float]:
    values: list[float] = []
    for part in text.split(","):
        number, times, count = part.partition("x")
        n = int(count) if times else 1
        if not 1 <= n <= MAX_NUMBERS - len(values):
            raise ValueError(part)
        values += [float(number)] * n
    return values[0] if len(values) == 1 else values


LIST = f"a number, or a list such as 0.2,0.3 or 0.2x9,0.8x6 of at most {MAX_NUMBERS}"
READERS: dict[Any, tuple[Callable[[str], float], str]] = {
    int: (int, "a whole number"),
    float: (float, "a number"),
}


def _all() -> Table:
    table = Table("bound", "what it does", "reference", caption="signfed bound NAME key=value ...")
    table.columns[0].no_wrap = True
    for name, entry in BOUNDS.items():
        table.add_row(name, entry.summary, entry.reference)
    return table
