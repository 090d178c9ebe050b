"""What is derived from a declaration, and what a user's own constructor may look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import pytest
from pydantic import AfterValidator, Field

from signfed.strategies.core.options import (
    Choice,
    OptionError,
    Range,
    checked,
    known,
    options_of,
    settled,
)

if TYPE_CHECKING:
    from nowhere import Unknown


def even(value: int) -> int:
    if value % 2:
        raise ValueError(f"expected an even number; got {value}")
    return value


def declared(
    matrix,
    n_byzantine: int = 0,
    seed: int = 0,
    share: Annotated[float, Field(ge=0, le=1, description="a share")] = 0.5,
    size: Annotated[int, Field(ge=1)] = 2,
    length: Annotated[float, Field(gt=0, allow_inf_nan=False), Range(0.1, 10, log=True)] = 1.0,
    form: Literal["a", "b"] = "a",
    strict: bool = True,
    pairs: Annotated[int, AfterValidator(even)] = 2,
    plain=7,
    inner: object = None,
): ...


OPTIONS = {option.name: option for option in options_of(declared, "rule")}


def test_options_are_the_arguments_with_a_plain_default():
    assert list(OPTIONS) == ["share", "size", "length", "form", "strict", "pairs", "plain"]
    assert OPTIONS["share"].key == "rule.share" and OPTIONS["share"].help == "a share"
    assert OPTIONS["plain"].kind is int and OPTIONS["plain"].help == ""


@pytest.mark.parametrize(
    "name, expected, search",
    [
        ("share", "a number in [0, 1]", Range(0, 1)),
        ("size", "a whole number of at least 1", None),
        ("length", "a finite number above 0", Range(0.1, 10, log=True)),
        ("form", "one of a, b", Choice(("a", "b"))),
        ("strict", "true or false", Choice((False, True))),
        ("plain", "a whole number", None),
    ],
)
def test_what_is_derived(name, expected, search):
    assert (OPTIONS[name].expected, OPTIONS[name].search) == (expected, search)


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("share", 1.5, "expected a number in [0, 1]; got 1.5"),
        ("share", float("nan"), "expected a number in [0, 1]; got nan"),
        ("size", True, "expected a whole number of at least 1; got True"),
        ("size", 2.0, "expected a whole number of at least 1; got 2.0"),
        ("length", float("inf"), "expected a finite number above 0; got inf"),
        ("form", "c", "expected one of a, b; got 'c'"),
        ("strict", 1, "expected true or false; got 1"),
        ("pairs", 3, "expected an even number; got 3"),
    ],
)
def test_a_value_outside_is_refused(name, value, said):
    with pytest.raises(OptionError) as refused:
        OPTIONS[name].check(value)
    assert str(refused.value) == f"{name}: {said}"
    with pytest.raises(OptionError, match="the label: expected"):
        OPTIONS[name].check(value, "the label")


def test_whole_and_numpy_numbers_will_do():
    for value in (1, np.float32(1), np.int64(1)):
        found = OPTIONS["share"].check(value)
        assert found == 1.0 and type(found) is float


def test_a_checked_function_checks_what_it_is_called_with():
    @checked
    def scale(x, factor: Annotated[float, Field(gt=0)] = 2.0):
        return x * factor

    assert scale(3) == 6 and scale(3, 1) == 3 and scale(3, factor=0.5) == 1.5
    for call in (lambda: scale(3, -1.0), lambda: scale(3, factor="2")):
        with pytest.raises(OptionError, match="factor: expected a number above 0; got"):
            call()


class Own:
    def __init__(
        self,
        radius: float,
        mode: Literal["soft", "hard"] = "soft",
        layers: list[int] | None = None,
        n_byzantine: int = 0,
        other: Unknown = None,
    ) -> None: ...


class Demanding:
    def __init__(self, radius: float, layers: list[int] | None = None, anything=None) -> None: ...


class Open:
    def __init__(self, radius: float = 1.0, **more: object) -> None: ...


def test_a_users_constructor_may_demand_options_and_take_others_than_plain_ones():
    assert settled(Demanding, "mine", {"radius": 1, "layers": [1, 2], "anything": "x"}) == {
        "radius": 1.0,
        "layers": [1, 2],
        "anything": "x",
    }
    assert settled(Open, "mine", {"radius": 2, "depth": 3}) == {"radius": 2.0, "depth": 3}


@pytest.mark.parametrize(
    "constructor, given, said",
    [
        (Demanding, {}, "radius: expected a number; got nothing"),
        (Demanding, {"radius": "x"}, "radius: expected a number; got 'x'"),
        (Demanding, {"radius": 1.0, "layers": 3}, r"layers: expected a value of type list\[int\]"),
        (Demanding, {"radius": 1.0, "radios": 3}, "mine has no option 'radios'; expected radius"),
        (Demanding, {"radius": 1.0, "seed": 3}, "mine has no option 'seed'; expected radius"),
        (object, {"radius": 1.0}, "mine has no option 'radius'; expected none"),
    ],
)
def test_what_a_users_constructor_cannot_take_is_refused(constructor, given, said):
    with pytest.raises(OptionError, match=said):
        settled(constructor, "mine", given)


def test_annotations_for_a_type_checker_alone_do_not_hurt():
    """A name that exists under TYPE_CHECKING only: nothing can be checked, nothing fails."""
    known(Own, "mine", {"radius": 1.0, "mode": "soft"})
    assert settled(Own, "mine", {"radius": "x"}) == {"radius": "x"}
