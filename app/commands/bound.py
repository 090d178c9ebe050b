"""`signfed bound`: lists the papers' bounds, or calls one with arguments given as key=value."""

from __future__ import annotations

import inspect
from typing import Any, Literal, get_args, get_origin

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from signfed.app.errors import ConfigError
from signfed.strategies.bounds import BOUNDS, Numbers

MAX_NUMBERS = 100_000  # of a list: 0.1x1000000000 is a typing error, not a federation


def bound(name: str | None, arguments: list[str], console: Console | None = None) -> None:
    """Print the value of bound `name`, with its domain and reference; without a name, list all.

    arguments: "key=value" each. A value is a number, a form, or a list such as 0.2,0.3 or
    0.2x9,0.8x6 (nine times 0.2, six times 0.8).
    Raises ConfigError at the first thing that cannot be, with what would do.
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
    lines += [f"not a bound: {why}" for form, why in chosen.invalid if form == values.get("form")]
    lines += [chosen.summary, f"domain: {chosen.domain}", f"reference: {chosen.reference}"]
    for line in lines:
        console.print(escape(line), soft_wrap=True, highlight=False)


def parse(name: str, arguments: list[str]) -> dict[str, Any]:
    """Keyword arguments of bound `name`, each of the type that its function declares."""
    chosen = BOUNDS[name]
    parameters = inspect.signature(chosen.function, eval_str=True).parameters
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
        values[key] = _value(f"{name}: {key}", text, parameters[key].annotation)
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
        if text not in get_args(kind):
            expected = ", ".join(get_args(kind))
            raise ConfigError(f"{label}: expected one of {expected}; got {text!r}")
        return text
    reader, expected = READERS[kind]
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
READERS = {
    int: (int, "a whole number"),
    float: (float, "a number"),
    Numbers: (_numbers, LIST),
    Numbers | None: (_numbers, LIST),
}


def _all() -> Table:
    table = Table("bound", "of what", "reference", caption="signfed bound NAME key=value ...")
    table.columns[0].no_wrap = True
    for name, entry in BOUNDS.items():
        table.add_row(name, entry.summary, entry.reference)
    return table
