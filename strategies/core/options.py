"""Options, declared once: on the constructor of the rule, attack, encoder or partition they tune.

    fraction: Annotated[float, Field(gt=0, le=1, description="share of the coordinates")] = 0.1

From this line come the run-config key, its default, the check, the text of the error, a row of
`signfed list` and of the documentation, and what a red team may try.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, wraps
from typing import Any, Literal, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

Value = int | float | str | bool

# Arguments of a constructor that are no options: whoever builds it knows them.
GIVEN = ("self", "n_byzantine", "seed")
NOUNS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
SYMBOLS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


class OptionError(ValueError):
    """An option has a value that it cannot have, or there is no such option."""


@dataclass(frozen=True)
class Range:
    """Annotation: a red team searches from low to high, by equal steps or (`log`) equal ratios."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """Annotation: a red team tries these values."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Option:
    """One option as its owner declares it.

    Attributes
    ----------
    owner : str
        Name of the rule, attack, encoder or partition, `signguard`.
    name : str
        The argument, `min_size`.
    annotation : type
        With its `Field`, as written.
    default : int, float, str or bool
        Fixes the type where the argument has no annotation.
    """

    owner: str
    name: str
    annotation: Any
    default: Value

    @property
    def key(self) -> str:
        """The run-config key, `owner.option` with hyphens."""
        return f"{self.owner}.{self.name.replace('_', '-')}"

    @cached_property
    def field(self) -> FieldInfo:
        """What pydantic makes of the annotation."""
        return FieldInfo.from_annotation(self.annotation)

    @property
    def help(self) -> str:
        """What it means, in a few words; empty where the owner does not say."""
        return self.field.description or ""

    @property
    def kind(self) -> type:
        """int, float, str or bool; that of the values of a Literal."""
        if get_origin(self.field.annotation) is Literal:
            return type(get_args(self.field.annotation)[0])
        return self.field.annotation  # type: ignore[return-value]

    @property
    def expected(self) -> str:
        """What it can be, in words: "a number above 0", "one of plus, zero"."""
        if get_origin(self.field.annotation) is Literal:
            return f"one of {', '.join(map(str, get_args(self.field.annotation)))}"
        bounds = {
            sign: getattr(constraint, sign)
            for constraint in self.field.metadata
            for sign in SYMBOLS
            if hasattr(constraint, sign)
        }
        return NOUNS[self.kind] + _interval(bounds, whole=self.kind is int)

    @property
    def search(self) -> Range | Choice | None:
        """What a red team tries: as annotated; all of a Literal; a closed interval; else None."""
        for note in self.field.metadata:
            if isinstance(note, Range | Choice):
                return note
        if get_origin(self.field.annotation) is Literal:
            return Choice(get_args(self.field.annotation))
        if self.kind is bool:
            return Choice((False, True))
        low, high = (
            next((getattr(c, sign) for c in self.field.metadata if hasattr(c, sign)), None)
            for sign in ("ge", "le")
        )
        return None if low is None or high is None else Range(low, high)

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.annotation, config=ConfigDict(strict=True))

    def check(self, value: Any, label: str | None = None) -> Value:
        """The value in the option's type; a whole number will do for a float.

        Parameters
        ----------
        value : object
            As the user gave it.
        label : str, optional
            What the error calls the option; its name by default, its key for a run config.

        Raises
        ------
        OptionError
            With what was expected and what was found.
        """
        if type(value).__module__ == "numpy":
            value = value.item()
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            said = str(first["ctx"]["error"]) if first["type"] == "value_error" else None
            why = said or f"expected {self.expected}; got {value!r}"
            raise OptionError(f"{label or self.name}: {why}") from None


def _interval(bounds: Mapping[str, Any], *, whole: bool) -> str:
    low = next((sign for sign in ("gt", "ge") if sign in bounds), None)
    high = next((sign for sign in ("lt", "le") if sign in bounds), None)
    if low and high and whole and (low, high) == ("ge", "le"):
        return f" from {bounds['ge']} to {bounds['le']}"
    if low and high:
        ends = "(" if low == "gt" else "[", ")" if high == "lt" else "]"
        return f" in {ends[0]}{bounds[low]:g}, {bounds[high]:g}{ends[1]}"
    words = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}
    return "".join(f" {words[sign]} {bounds[sign]:g}" for sign in (low, high) if sign)


@lru_cache(maxsize=256)
def options_of(
    constructor: Callable[..., Any], owner: str = "", given: tuple[str, ...] = GIVEN
) -> tuple[Option, ...]:
    """The options that a constructor declares, in its order.

    Parameters
    ----------
    constructor : callable
        A class, or a function that makes something. What the caller of a constructor knows
        (`n_byzantine`, `seed`) is no option, nor is an argument without a default.
    owner : str
        Name that the keys begin with.
    given : tuple of str
        Arguments that are no options.

    Examples
    --------
    >>> from pydantic import Field
    >>> def clip(radius: Annotated[float, Field(gt=0, description="tau")] = 10.0): ...
    >>> [option] = options_of(clip, "centered-clipping")
    >>> option.key, option.default, option.expected
    ('centered-clipping.radius', 10.0, 'a number above 0')
    """
    parameters = inspect.signature(constructor, eval_str=True).parameters.values()
    return tuple(
        Option(
            owner,
            p.name,
            type(p.default) if p.annotation is p.empty else p.annotation,
            p.default,
        )
        for p in parameters
        if p.name not in given and type(p.default) in NOUNS
    )


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have each call of a function check the options among its arguments.

    Raises
    ------
    OptionError
        At the first option that has a value it cannot have.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        for option in options_of(function):
            if option.name in bound.arguments:
                bound.arguments[option.name] = option.check(bound.arguments[option.name])
        return function(*bound.args, **bound.kwargs)

    return call


def known(constructor: Callable[..., Any], owner: str, given: Mapping[str, Any]) -> None:
    """Raise OptionError for an option that the constructor does not have, with those it has."""
    names = [option.name for option in options_of(constructor)]
    for name in given:
        if name not in names:
            raise OptionError(
                f"{owner} has no option {name!r}; expected {', '.join(names) or 'none'}"
            )
