"""What the papers prove about a vote of signs, as functions, and the exact truth beside them.

One file per paper, and `exact` for what the bounds bound. A form that is printed but does not hold
is there too, never as the default, and marked under Warnings.

>>> from signfed.strategies.bounds.federated_defense import fd_bound
>>> round(fd_bound([0.2] * 15), 5)
0.04419
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from doctest import DocTestParser
from functools import cached_property
from itertools import groupby
from typing import Any

from signfed.strategies.bounds import (
    byzantine_fault_tolerance,
    election,
    exact,
    federated_defense,
    majority_vote,
    signguard,
)
from signfed.strategies.bounds.domain import Argument

PAPERS = (federated_defense, majority_vote, byzantine_fault_tolerance, election, signguard, exact)


@dataclass(frozen=True)
class Bound:
    """A function of this package, and what a person needs to call it.

    All but the function is read from its docstring, in numpydoc form, and its annotations.
    """

    function: Callable[..., Any]

    @cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Name -> parameter, with its annotation as a type."""
        return dict(inspect.signature(self.function, eval_str=True).parameters)

    @cached_property
    def sections(self) -> dict[str, str]:
        """Title of a section of the docstring -> its text; the beginning under ""."""
        doc = inspect.getdoc(self.function) or ""
        beginning, *rest = re.split(r"^(\w+)\n-+\n", doc, flags=re.MULTILINE)
        return {"": beginning} | dict(zip(rest[::2], rest[1::2], strict=True))

    @property
    def summary(self) -> str:
        """What it bounds, in one line."""
        return self.sections[""].splitlines()[0]

    @property
    def domain(self) -> str:
        """The arguments with their ranges and meanings."""
        return "; ".join(str(Argument.of(parameter)) for parameter in self.parameters.values())

    @property
    def example(self) -> str:
        """The arguments of the first call in the docstring, as key=value for a command line."""
        code = DocTestParser().get_examples(self.sections["Examples"])[0].source
        call = next(
            node
            for node in ast.walk(ast.parse(code))
            if isinstance(node, ast.Call)
            and node.keywords
            and ast.unparse(node.func) == self.function.__name__
        )
        return " ".join(f"{given.arg}={_text(given.value)}" for given in call.keywords)

    @property
    def reference(self) -> str:
        """Where it is printed."""
        return " ".join(self.sections["References"].split()).removesuffix(".")

    @cached_property
    def invalid(self) -> dict[str, str]:
        """Form -> why it is not a bound, for the forms that the docstring warns of."""
        found = re.findall(r"^(\S+)\n((?: {4}.*\n?)+)", self.sections.get("Warnings", ""), re.M)
        return {form: " ".join(why.split()) for form, why in found}


def _text(node: ast.expr) -> str:
    """An argument as a command line takes it: [0.2] * 2 + [0.8] is 0.2x2,0.8."""
    value = eval(ast.unparse(node), {"__builtins__": {}})
    if not isinstance(value, list):
        return str(value)
    runs = [(each, len(list(run))) for each, run in groupby(value)]
    return ",".join(f"{each}x{length}" if length > 1 else str(each) for each, length in runs)


BOUNDS: dict[str, Bound] = {
    name: Bound(function)
    for paper in PAPERS
    for name, function in vars(paper).items()
    # Those that check their domain, where they are defined.
    if hasattr(function, "__wrapped__") and function.__module__ == paper.__name__
}
