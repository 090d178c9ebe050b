"""What the arguments of a bound may be: declared in its annotations, checked at each call.

    @on_domain
    def fd_bound(p: Workers, dmin: Annotated[float, Field(ge=0, lt=1)] = 0.0) -> float: ...

A number without a Field may be any finite one. A range that depends on another argument is checked
in the body of the function; the description of the Field says it in words.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, get_args, get_origin

import numpy as np
from pydantic import Field
from pydantic.fields import FieldInfo

from signfed.strategies.bounds.intervals import Numbers, interval, number, numbers

P = ParamSpec("P")
T = TypeVar("T")

PER_WORKER = "one per worker"  # marks Numbers of which each worker has one

# p: without 0 and 1, where log-odds are infinite, or with them.
Workers = Annotated[Numbers, Field(gt=0, lt=1, description="wrong-sign rates"), PER_WORKER]
AllWorkers = Annotated[Numbers, Field(ge=0, le=1, description="wrong-sign rates"), PER_WORKER]
Rounds = Annotated[int, Field(ge=1, description="rounds")]
Smoothness = Annotated[float, Field(gt=0, description="smoothness, summed over coordinates")]
Start = Annotated[float, Field(description="the objective at the start, at least its lower bound")]
Lower = Annotated[float, Field(description="a lower bound of the objective")]


@dataclass(frozen=True)
class Argument:
    """One argument of a bound, as its annotation declares it.

    Attributes
    ----------
    name : str
    kind : type
        int, float, Numbers or a Literal.
    low, high : float
        Ends of its range.
    ends : str
        Brackets of the range; a round one leaves the end out.
    meaning : str
        What it is, and what else must hold.
    per_worker : bool
        Whether Numbers are one for each worker; else the function works elementwise.
    """

    name: str
    kind: Any
    low: float
    high: float
    ends: str
    meaning: str
    per_worker: bool

    @classmethod
    def of(cls, parameter: inspect.Parameter) -> Argument:
        """Return what the annotation of a parameter says."""
        field = FieldInfo.from_annotation(parameter.annotation)
        signs = ("gt", "ge", "lt", "le")
        given = {s: getattr(c, s) for c in field.metadata for s in signs if hasattr(c, s)}
        return cls(
            parameter.name,
            field.annotation,
            given.get("ge", given.get("gt", -np.inf)),
            given.get("le", given.get("lt", np.inf)),
            ("[" if "ge" in given else "(") + ("]" if "le" in given else ")"),
            field.description or "",
            PER_WORKER in field.metadata,
        )

    @property
    def words(self) -> str:
        """What it may be: "p in (0, 1), one per worker", "form valid or printed"."""
        if get_origin(self.kind) is Literal:
            *others, last = get_args(self.kind)
            return f"{self.name} {', '.join(others)} or {last}"
        if np.isfinite(self.high):
            limits = f" in {interval(self.low, self.high, self.ends)}"
        elif np.isfinite(self.low):
            limits = f" {'>=' if self.ends[0] == '[' else '>'} {self.low:g}"
        else:
            limits = " finite"
        return f"{self.name}{limits}" + (f", {PER_WORKER}" if self.per_worker else "")

    def __str__(self) -> str:
        """Range and meaning."""
        return self.words + (f": {self.meaning}" if self.meaning else "")

    @property
    def documentation(self) -> str:
        """The entry of the section "Parameters"."""
        literal = get_origin(self.kind) is Literal
        kind = {int: "int", float: "float"}.get(self.kind, "str" if literal else "array_like")
        shape = " [M]" if self.per_worker else ""
        return f"{self.name} : {kind}{shape}\n    {str(self).removeprefix(f'{self.name} ')}\n"

    def check(self, value: Any) -> Any:
        """Return the value in the argument's type, an array for Numbers; ValueError if outside."""
        if get_origin(self.kind) is Literal:
            if value not in get_args(self.kind):
                expected = ", ".join(get_args(self.kind))
                raise ValueError(f"{self.name}: expected one of {expected}; got {value!r}")
            return value
        if self.kind is int:
            if np.ndim(value) or not (value >= self.low and value % 1 == 0):
                expected = f"a whole number of at least {self.low:g}"
                raise ValueError(f"{self.name}: expected {expected}, got {value}")
            return int(value)
        if self.kind is float:
            return number(self.name, value, self.low, self.high, self.ends)
        found = numbers(self.name, value, self.low, self.high, self.ends)
        if self.per_worker:
            found = np.atleast_1d(found)
            if found.ndim != 1 or found.size == 0:
                raise ValueError(
                    f"{self.name}: expected one number per worker, got shape {found.shape}"
                )
        return found


def on_domain(function: Callable[P, T]) -> Callable[P, T]:
    """Have a function check its arguments, and document them from their annotations.

    Numbers reach the function as float64 arrays, None as it is.

    Parameters
    ----------
    function : callable
        With numpydoc sections in its docstring, but for "Parameters".

    Returns
    -------
    callable
        The same with checks, and with that section.

    Raises
    ------
    ValueError
        At the first argument outside its domain, with what was expected and what was found.
    """
    signature = inspect.signature(function, eval_str=True)
    arguments = {name: Argument.of(each) for name, each in signature.parameters.items()}

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        given = signature.bind(*args, **kwargs)
        for name, value in given.arguments.items():
            if value is not None:
                given.arguments[name] = arguments[name].check(value)
        found: Any = function(*given.args, **given.kwargs)
        return found if np.ndim(found) else float(found)  # type: ignore[return-value]

    entries = "".join(argument.documentation for argument in arguments.values())
    section = f"Parameters\n----------\n{entries}\n"
    doc = inspect.getdoc(function) or ""
    call.__doc__ = re.sub(r"(?m)^(?=\w+\n-+\n)", lambda _: section, doc, count=1)
    return call
