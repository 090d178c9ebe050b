"""`signfed bound`: what it prints, and what it says about a wrong call."""

import io
from math import isfinite

import numpy as np
import pytest
from rich.console import Console

from signfed.app.commands.bound import MAX_NUMBERS, bound, parse
from signfed.app.config.keys import ConfigError
from signfed.strategies.bounds import BOUNDS
from signfed.strategies.bounds.election import det_redundancy
from signfed.strategies.bounds.federated_defense import fd_bound


def printed(name, *arguments):
    console = Console(file=io.StringIO(), width=80)
    assert bound(name, list(arguments), console) is None
    return console.file.getvalue()


def test_without_a_name_it_lists_everything():
    output = printed(None)
    lines = [line.strip("│ ").split(" ")[0] for line in output.splitlines()]
    assert [name for name in lines if name in BOUNDS] == list(BOUNDS)
    assert "Lemma 3.6" in output and "NAME key=value" in output


@pytest.mark.parametrize("name", BOUNDS)
def test_every_example_gives_a_number(name):
    entry = BOUNDS[name]
    first, *rest = printed(name, *entry.example.split()).splitlines()
    call, _, value = first.partition(") = ")
    assert call == f"{name}({', '.join(entry.example.split())}" and isfinite(float(value))
    assert rest == [entry.summary, f"domain: {entry.domain}", f"reference: {entry.reference}"]


def test_the_value_is_the_functions():
    assert printed("det_redundancy", "n=5", "b=1").startswith("det_redundancy(n=5, b=1) = 3.8\n")
    value = fd_bound([0.2] * 9 + [0.8] * 6, dmin=0.5)
    assert f" = {value:.6g}\n" in printed("fd_bound", "p=0.2x9,0.8x6", "dmin=0.5")
    assert " = 0.8, 0.7\n" in printed("ssfa", "p=0.2,0.3", "r=1")


@pytest.mark.parametrize("name, form", [(n, f) for n, b in BOUNDS.items() for f in b.invalid])
def test_a_form_that_is_no_bound_says_so(name, form):
    example = BOUNDS[name].example.split()
    warning = f"not a bound: {BOUNDS[name].invalid[form]}"
    assert warning in printed(name, *example, f"form={form}").splitlines()
    assert "not a bound" not in printed(name, *example)


def test_arguments_become_what_the_function_declares():
    assert parse("mv_bound", ["p=0.1,0.2x3", "form=printed"]) == {
        "p": [0.1, 0.2, 0.2, 0.2],
        "form": "printed",
    }
    assert parse("weighted_vote_error", ["w=1,-2", "p=1e-3x2"]) == {"w": [1, -2], "p": [1e-3] * 2}
    values = parse("q_local", ["n_i=3", "S=2"])
    assert values == {"n_i": 3, "S": 2} and [type(v) for v in values.values()] == [int, float]
    assert parse("ssfa", ["p=0.3", "r=1"]) == {"p": 0.3, "r": 1}


WRONG = [
    (("nope", "p=1"), "unknown bound 'nope'; expected one of rate_bound, error_exponent, fd_bound"),
    (("fd_bound",), "missing p; domain: p in (0, 1), one per worker"),
    (("fd_bound",), "for example: signfed bound fd_bound p=0.2x9,0.8x6"),
    (("rate_bound", "PE=0", "T=5"), "rate_bound: missing f1, fstar, L1;"),
    (("fd_bound", "q=1"), "fd_bound: expected key=value with a key of p, dmin, dmax; got 'q=1'"),
    (("fd_bound", "0.2"), "expected key=value with a key of p, dmin, dmax; got '0.2'"),
    (("fd_bound", "p=0.1", "p=0.2"), "fd_bound: expected p once, got it twice"),
    (("fd_bound", "p=many"), "fd_bound: p: expected a number, or a list such as 0.2,0.3"),
    (("fd_bound", "p=0.1,,0.2"), "fd_bound: p: expected a number, or a list"),
    (("fd_bound", "p="), "got ''"),
    (("fd_bound", "p=0.1x0"), "got '0.1x0'"),
    (("fd_bound", "p=0.1x"), "got '0.1x'"),
    (("fd_bound", "p=0.1x1.5"), "got '0.1x1.5'"),
    (("fd_bound", "p=0.1x60000,0.2x60000"), f"of at most {MAX_NUMBERS}"),
    (("fd_bound", "p=0.1", "dmin=x"), "fd_bound: dmin: expected a number, got 'x'"),
    (("det_redundancy", "n=5.5", "b=1"), "n: expected a whole number, got '5.5'"),
    (("mv_bound", "p=0.1", "form=x"), "form: expected one of valid, printed; got 'x'"),
    (("fd_bound", "p=1.2"), "p: expected a number in (0, 1), got 1.2; domain: p in (0, 1)"),
    (("p_wrong_max", "S=nan"), "S: expected a number in (0, inf), got nan; domain: S > 0"),
    (("det_redundancy", "n=4", "b=1"), "n: expected an odd number of nodes, got 4"),
    (("honest_spread", "sigma=1e300", "kappa=1"), "expected smaller numbers"),
]


@pytest.mark.parametrize("call, said", WRONG)
def test_a_wrong_call_is_a_config_error(call, said):
    with pytest.raises(ConfigError) as error:
        printed(*call)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_the_largest_list_is_taken():
    assert len(parse("mv_bound", [f"p=0.1x{MAX_NUMBERS}"])["p"]) == MAX_NUMBERS


def test_intervals_are_not_read_as_markup():
    assert "; dmin in [0, 1): " in printed("fd_bound", "p=0.2")


def test_it_prints_to_the_screen_by_default(capsys):
    bound("det_redundancy", ["n=5", "b=2"])
    value = float(capsys.readouterr().out.splitlines()[0].split(" = ")[1])
    assert np.isclose(value, det_redundancy(5, 2))
