"""Options, declared once: on the constructor of the rule, attack, encoder or partition they tune.

    fraction: Annotated[float, Field(gt=0, le=1, description="share of the coordinates")] = 0.1

The run-config key, its default, the check, the text of the error, the row of `signfed list` and of
docs/options.md, and what a red team tries are all derived from this line.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, wraps
from typing import Any, Literal, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

Value = int | float | str | bool
Constructor = Callable[..., Any]
# Arguments that whoever builds a rule or calls an attack knows: they are no options.
GIVEN = ("self", "n_byzantine", "seed", "view")
NOUNS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)
BOUNDS = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}


class OptionError(ValueError):
    """An option has a value outside its range, or the owner has no such option."""


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
        Name of the rule, attack, encoder or partition; empty where there is none.
    name : str
        The argument.
    annotation : type
        As written, with its `Field`; the type of the default where the argument has none.
    default : object
        `inspect.Parameter.empty` where a user's own constructor demands a value.
    """

    owner: str
    name: str
    annotation: Any
    default: Any

    @property
    def key(self) -> str:
        """The run-config key: `owner.option`, with hyphens."""
        return f"{self.owner}.{self.name}".lstrip(".").replace("_", "-")

    @property
    def help(self) -> str:
        """Its meaning in a few words; empty where the owner does not say."""
        return self._field.description or ""

    @property
    def names(self) -> tuple[Value, ...]:
        """All values of a Literal; empty for any other type."""
        kind = self._field.annotation
        return get_args(kind) if get_origin(kind) is Literal else ()

    @property
    def kind(self) -> Any:
        """`int`, `float`, `str` or `bool`, or whatever else a user's own constructor declares."""
        return type(self.names[0]) if self.names else self._field.annotation

    @property
    def expected(self) -> str:
        """The values it takes, in words: "a number above 0", "one of plus, zero"."""
        if self.names:
            return f"one of {', '.join(map(str, self.names))}"
        if self.kind not in NOUNS:
            of_type = f" of type {getattr(self.kind, '__name__', self.kind)}"
            return f"a value{'' if self.kind is Any else of_type}"
        finite = any(getattr(note, "allow_inf_nan", True) is False for note in self._field.metadata)
        noun, bounds = "a finite number" if finite else NOUNS[self.kind], self._bounds
        if len(bounds) < 2:
            return noun + "".join(f" {BOUNDS[sign]} {end:g}" for sign, end in bounds.items())
        low = f"({bounds['gt']:g}" if "gt" in bounds else f"[{bounds['ge']:g}"
        high = f"{bounds['lt']:g})" if "lt" in bounds else f"{bounds['le']:g}]"
        return f"{noun} in {low}, {high}"

    @property
    def search(self) -> Range | Choice | None:
        """What a red team tries: as annotated, all of a Literal, a closed interval, or nothing."""
        if noted := [note for note in self._field.metadata if isinstance(note, Range | Choice)]:
            return noted[0]
        if self.names or self.kind is bool:
            return Choice(self.names or (False, True))
        bounds = self._bounds
        return Range(bounds["ge"], bounds["le"]) if {"ge", "le"} <= set(bounds) else None

    @cached_property
    def _field(self) -> FieldInfo:
        return FieldInfo.from_annotation(self.annotation)

    @property
    def _bounds(self) -> dict[str, Any]:
        notes = self._field.metadata
        return {sign: getattr(n, sign) for sign in BOUNDS for n in notes if hasattr(n, sign)}

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.annotation, config=STRICT)

    def check(self, value: Any, label: str | None = None) -> Any:
        """Return the value in the option's type; a whole number will do for a float.

        Parameters
        ----------
        value : object
            As it was given.
        label : str, optional
            What the error calls the option: its name by default, its key in a run config.

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
            own = str(first["ctx"]["error"]) if first["type"] == "value_error" else None
            why = own or f"expected {self.expected}; got {value!r}"
            raise OptionError(f"{label or self.name}: {why}") from None


@lru_cache(maxsize=256)
def _parameters(constructor: Constructor, given: tuple[str, ...] = GIVEN) -> dict[str, Option]:
    """Every argument that can be passed by name, but for those that the caller knows."""
    try:
        signature = inspect.signature(constructor, eval_str=True)
    except NameError:  # annotations that exist for a type checker only
        signature = inspect.signature(constructor)
    found = {}
    for p in signature.parameters.values():
        written = type(p.default) if type(p.default) in NOUNS else Any
        if p.annotation is not p.empty and not isinstance(p.annotation, str):
            written = p.annotation
        if p.name not in given and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
            found[p.name] = Option("", p.name, written, p.default)
    return found


def options_of(
    constructor: Constructor, owner: str = "", given: tuple[str, ...] = GIVEN
) -> tuple[Option, ...]:
    """Return the options that a constructor declares, in its order.

    Parameters
    ----------
    constructor : callable
        Its options are the arguments with a number, a text or a truth value as their default.
    owner : str
        Name that the keys begin with.
    given : tuple of str
        Arguments that are no options, since the caller knows them.

    Examples
    --------
    >>> from typing import Annotated
    >>> from pydantic import Field
    >>> def clip(radius: Annotated[float, Field(gt=0, description="tau")] = 10.0): ...
    >>> [option] = options_of(clip, "centered-clipping")
    >>> option.key, option.default, option.expected
    ('centered-clipping.radius', 10.0, 'a number above 0')
    """
    found = [o for o in _parameters(constructor, given).values() if type(o.default) in NOUNS]
    return tuple(replace(o, owner=owner) if owner else o for o in found)  # a copy checks anew


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function whose calls check the options among its arguments (OptionError)."""
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        for option in options_of(function):
            if option.name in bound.arguments:
                bound.arguments[option.name] = option.check(bound.arguments[option.name])
        return function(*bound.args, **bound.kwargs)

    return call


def known(constructor: Constructor, owner: str, given: Mapping[str, Any]) -> None:
    """Raise OptionError for an option that the constructor does not take, with those it takes.

    Parameters
    ----------
    constructor : callable
    owner : str
        What the error calls it.
    given : mapping
    """
    has, every = _parameters(constructor), inspect.signature(constructor).parameters.values()
    wrong = [name for name in given if name not in has]
    if wrong and inspect.Parameter.VAR_KEYWORD not in {p.kind for p in every}:
        takes = ", ".join(has) or "none"
        raise OptionError(f"{owner} has no option {wrong[0]!r}; expected {takes}")


def settled(constructor: Constructor, owner: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options given to a constructor, each in its declared type.

    Parameters
    ----------
    constructor, owner, given
        As for `known`.

    Raises
    ------
    OptionError
        For an unknown, a missing or an impossible one.
    """
    known(constructor, owner, given)
    has = _parameters(constructor)
    for option in has.values():
        if option.default is inspect.Parameter.empty and option.name not in given:
            raise OptionError(f"{option.name}: expected {option.expected}; got nothing: no default")
    return {name: has[name].check(value) if name in has else value for name, value in given.items()}
