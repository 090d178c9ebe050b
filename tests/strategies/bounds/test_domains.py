"""What may be asked of a bound, what is refused, and whether its docstring tells the truth."""

import ast
import doctest
import importlib
import re
import sys
from math import inf, nan
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from signfed.strategies import bounds
from signfed.strategies.bounds import BOUNDS
from signfed.strategies.bounds.byzantine_fault_tolerance import (
    alpha_max,
    p_wrong_max,
    sign_noise_max,
    vote_failure_bound,
    vote_failure_cantelli,
    vote_rate_bound,
)
from signfed.strategies.bounds.election import (
    alpha_ok,
    det_redundancy,
    election_rate_bound,
    p_star,
    q_local,
    q_star,
)
from signfed.strategies.bounds.exact import majority_vote_error, weighted_vote_error
from signfed.strategies.bounds.federated_defense import (
    error_exponent,
    fd_bound,
    fd_bound_special,
    fd_bound_ssfa,
    kearns_saul,
    rate_bound,
    ssfa,
)
from signfed.strategies.bounds.majority_vote import mv_bound, mv_bound_ssfa, mv_epsilon
from signfed.strategies.bounds.signguard import (
    eta_max,
    honest_mean_bound,
    honest_spread,
    signguard_rate_bound,
)


def outside(function, message, **arguments):
    """One wrong call and what must be said about it."""
    return pytest.param(function, arguments, message, id=f"{function.__name__} {message}")


WRONG = [
    outside(rate_bound, r"PE: .* in \[0, 0.5\), got 0.5", PE=0.5, f1=1, fstar=0, L1=1, T=1),
    outside(rate_bound, "PE: .* got -0.1", PE=-0.1, f1=1, fstar=0, L1=1, T=1),
    outside(rate_bound, "f1: expected at least fstar = 2, got 1", PE=0, f1=1, fstar=2, L1=1, T=1),
    outside(rate_bound, r"f1: .* in \(-inf, inf\), got inf", PE=0, f1=inf, fstar=0, L1=1, T=1),
    outside(rate_bound, r"L1: .* in \(0, inf\), got 0", PE=0, f1=1, fstar=0, L1=0, T=1),
    outside(rate_bound, "T: expected a whole number of at least 1", PE=0, f1=1, fstar=0, L1=1, T=0),
    outside(rate_bound, "T: expected a whole number", PE=0, f1=1, fstar=0, L1=1, T=1.5),
    outside(rate_bound, "PE: expected one number, got 2", PE=[0, 0], f1=1, fstar=0, L1=1, T=1),
    outside(error_exponent, r"p: .* in \(0, 1\), got 0", p=0),
    outside(error_exponent, r"p: .* in \(0, 1\), got 1", p=[0.2, 1.0]),
    outside(fd_bound, r"p: .* in \(0, 1\), got 0", p=[0.1, 0.0]),
    outside(fd_bound, r"p: expected one number per worker, got shape \(0,\)", p=[]),
    outside(fd_bound, r"p: expected one number per worker, got shape \(1, 1\)", p=[[0.1]]),
    outside(fd_bound, r"dmin: .* in \[0, 1\), got 1", p=[0.1], dmin=1),
    outside(fd_bound, "dmin: .* got -0.1", p=[0.1], dmin=-0.1),
    outside(fd_bound, "dmax: .* got -0.1", p=[0.1], dmax=-0.1),
    outside(mv_bound, r"p: .* in \[0, 1\], got 1.1", p=[1.1]),
    outside(mv_bound, "form: expected one of valid, printed; got 'other'", p=[0.1], form="other"),
    outside(ssfa, r"p: .* in \[0, 1\], got -0.1", p=-0.1, r=0),
    outside(ssfa, r"r: .* in \[0, 1\], got 1.1", p=0.1, r=1.1),
    outside(fd_bound_ssfa, "L: expected a whole number from 0 to 1, got 2", p=[0.1], L=2, r=1),
    outside(fd_bound_ssfa, "L: .* got -1", p=[0.1], L=-1, r=1),
    outside(fd_bound_ssfa, r"p: .* in \(0, 1\), got 0", p=[0.0], L=1, r=0.1),
    outside(fd_bound_ssfa, r"r: .* in \[0, 1\], got 2", p=[0.1], L=0, r=2),
    outside(fd_bound_special, "r: expected 1 or 0.5, got 0.7; fd_bound_ssfa", p=[0.1], L=1, r=0.7),
    outside(fd_bound_special, "L: expected a whole number from 0 to 1", p=[0.1], L=2, r=1),
    outside(fd_bound_special, "form: expected one of valid, printed", p=[0.1], L=1, r=1, form="x"),
    outside(mv_epsilon, r"p: .* in \(0, 1\), got 0", p=[0.0, 0.1], L=1, r=1),
    outside(mv_epsilon, "r: .* got 2", p=[0.1], L=1, r=2),
    outside(mv_bound_ssfa, r"p: .* in \(0, 1\), got 1", p=[0.1, 1.0], L=1, r=1),
    outside(mv_bound_ssfa, "L: expected a whole number from 0 to 1", p=[0.1], L=2, r=1),
    outside(mv_bound_ssfa, "form: .* valid, printed, without-eps", p=[0.1], L=1, r=1, form="x"),
    outside(kearns_saul, r"p: .* in \[0, 1\], got 1.1", p=1.1, t=1),
    outside(kearns_saul, r"t: .* in \(-inf, inf\), got -inf", p=0.1, t=-inf),
    outside(p_wrong_max, r"S: .* in \(0, inf\), got 0", S=0),
    outside(p_wrong_max, "form: expected one of lemma, gauss; got 'x'", S=1, form="x"),
    outside(sign_noise_max, r"S: .* in \(0, inf\), got -1", S=[1, -1]),
    outside(alpha_max, r"p: .* in \(0.5, 1\], got 0.5", p=0.5),
    outside(alpha_max, "p: .* got 1.1", p=1.1),
    outside(vote_failure_cantelli, r"alpha: .* in \[0, 0.2\), got 0.2", Q=9, alpha=0.2, p=0.625),
    outside(vote_failure_cantelli, r"alpha: .* below 1 - 1/\(2p\)", Q=9, alpha=0.375, p=0.8),
    outside(vote_failure_cantelli, "alpha: .* got -0.1", Q=9, alpha=-0.1, p=0.8),
    outside(vote_failure_cantelli, r"p: .* in \(0.5, 1\], got 0.5", Q=9, alpha=0, p=0.5),
    outside(vote_failure_cantelli, "Q: expected a whole number of at least 1", Q=0, alpha=0, p=0.8),
    outside(vote_failure_bound, r"alpha: .* in \[0, 0.375\), got 0.4", Q=9, alpha=0.4, p=0.8, S=1),
    outside(vote_failure_bound, r"S: .* in \(0, 1\], got 1.1", Q=9, alpha=0, p=0.75, S=1.1),
    outside(vote_failure_bound, r"S: .* in \(0, 1.5\], got", Q=9, alpha=0, p=0.8, S=1.6, form="4B"),
    outside(vote_failure_bound, r"S: .* in \(0, 1.5\], got", Q=9, alpha=0, p=0.8, S=1.6, form="B"),
    outside(vote_failure_bound, r"S: .* in \(0, inf\), got 0", Q=9, alpha=0, p=1, S=0),
    outside(vote_failure_bound, "form: .* one of A, 4B, B", Q=9, alpha=0, p=0.8, S=1, form="C"),
    outside(vote_rate_bound, "K: ", K=0, Q=9, alpha=0, p=0.8, sigma1=1, L1=1, f0=1, fstar=0),
    outside(vote_rate_bound, "alpha: ", K=1, Q=9, alpha=0.4, p=0.8, sigma1=1, L1=1, f0=1, fstar=0),
    outside(vote_rate_bound, "sigma1: ", K=1, Q=9, alpha=0, p=0.8, sigma1=-1, L1=1, f0=1, fstar=0),
    outside(vote_rate_bound, "L1: ", K=1, Q=9, alpha=0, p=0.8, sigma1=1, L1=0, f0=1, fstar=0),
    outside(vote_rate_bound, "f0: ", K=1, Q=9, alpha=0, p=0.8, sigma1=1, L1=1, f0=0, fstar=1),
    outside(q_local, "n_i: expected a whole number of at least 0, got -1", n_i=-1, S=1),
    outside(q_local, r"S: .* in \(0, inf\), got 0", n_i=1, S=0),
    outside(p_star, "n: expected a whole number of at least 2, got 1", n=1, C=1),
    outside(p_star, r"C: expected at most n / \(4 ln n\) = 1.385, got 2", n=15, C=2),
    outside(p_star, r"C: .* in \(0, inf\), got 0", n=15, C=0),
    outside(q_star, "C: expected at most", n=15, C=2, S=1),
    outside(q_star, "S: ", n=15, C=1, S=0),
    outside(alpha_ok, "n: ", n=0, Delta=10, u=0.9),
    outside(alpha_ok, r"Delta: .* in \(1, inf\), got 1", n=9, Delta=1, u=0.9),
    outside(alpha_ok, r"u: .* in \(0.5, 1\], got 0.5", n=9, Delta=10, u=0.5),
    outside(election_rate_bound, r"Delta: .* in \(2, inf\)", Delta=2, f0=1, fstar=0, L1=1, T=1),
    outside(election_rate_bound, "f0: ", Delta=3, f0=0, fstar=1, L1=1, T=1),
    outside(election_rate_bound, "L1: ", Delta=3, f0=1, fstar=0, L1=0, T=1),
    outside(election_rate_bound, "T: ", Delta=3, f0=1, fstar=0, L1=1, T=0),
    outside(det_redundancy, "n: expected an odd number of nodes, got 6", n=6, b=1),
    outside(det_redundancy, "b: expected a whole number from 0 to 2, got 3", n=5, b=3),
    outside(det_redundancy, "b: ", n=5, b=-1),
    outside(honest_mean_bound, r"beta: .* in \[0, 0.5\), got 0.5", beta=0.5, n=9, sigma=1, kappa=1),
    outside(honest_mean_bound, "n: ", beta=0.1, n=0, sigma=1, kappa=1),
    outside(honest_mean_bound, "sigma: ", beta=0.1, n=9, sigma=-1, kappa=1),
    outside(honest_mean_bound, "kappa: ", beta=0.1, n=9, sigma=1, kappa=-1),
    outside(honest_spread, "form: expected one of valid, printed", sigma=1, kappa=1, form="x"),
    outside(honest_spread, "sigma: ", sigma=-1, kappa=1),
    outside(honest_spread, "kappa: ", sigma=1, kappa=-1),
    outside(eta_max, r"delta: .* in \[0, 0.1\), got 0.1", beta=0.1, delta=0.1, L=1),
    outside(eta_max, r"delta: .* in \[0, 0\], got 0.1", beta=0, delta=0.1, L=1),
    outside(eta_max, "L: ", beta=0.1, delta=0, L=0),
    outside(weighted_vote_error, r"p: .* in \(0, 1\), got 1", p=[0.1, 1]),
    outside(weighted_vote_error, "w: expected 2 numbers, one per worker", p=[0.1, 0.2], w=[1]),
    outside(weighted_vote_error, r"w: .* in \(-inf, inf\), got inf", p=[0.1], w=[inf]),
    outside(weighted_vote_error, "p: expected at most 20 .*majority_vote_error", p=[0.1] * 21),
    outside(majority_vote_error, r"p: .* in \[0, 1\], got -0.1", p=[-0.1]),
]  # fmt: skip
SIGNGUARD = {
    "eta": 0.1, "T": 9, "F0": 1, "Fstar": 0, "L": 1, "beta": 0.2, "delta": 0.1, "n": 9,
    "sigma": 1, "kappa": 1, "c": 1, "b": 0,
}  # fmt: skip
WRONG += [
    outside(signguard_rate_bound, message, **SIGNGUARD | wrong)
    for wrong, message in (
        ({"eta": 0.4}, r"eta: .* in \(0, 0.3209"),
        ({"eta": 0}, "eta: "),
        ({"T": 0}, "T: "),
        ({"F0": -1}, "F0: expected at least Fstar"),
        ({"L": 0}, "L: "),
        ({"beta": 0.5}, "beta: "),
        ({"delta": 0.2}, "delta: "),
        ({"n": 0}, "n: "),
        ({"sigma": -1}, "sigma: "),
        ({"kappa": -1}, "kappa: "),
        ({"c": -1}, "c: "),
        ({"b": -1}, "b: "),
        ({"form": "x"}, "form: "),
    )
]


@pytest.mark.parametrize("function, arguments, message", WRONG)
def test_what_is_outside_the_domain_is_refused(function, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        function(**arguments)


def test_every_function_refuses_something():
    assert {case.values[0].__name__ for case in WRONG} == set(BOUNDS)


def example(name):
    """The example as a command line takes it, read without the parser of the command line."""
    values = {}
    for pair in BOUNDS[name].example.split():
        key, text = pair.split("=")
        numbers = []
        for part in text.split(","):
            number, _, times = part.partition("x")
            numbers += [float(number)] * int(times or 1)
        values[key] = numbers[0] if len(numbers) == 1 else numbers
    return values


@pytest.mark.parametrize("name", BOUNDS)
def test_nan_is_refused_everywhere(name):
    values = example(name)
    BOUNDS[name].function(**values)
    for key in values:
        with pytest.raises(ValueError, match=f"^{key}: "):
            BOUNDS[name].function(**values | {key: nan})


@pytest.mark.parametrize("name", BOUNDS)
def test_the_docstring_tells_the_truth(name):
    bound = BOUNDS[name]
    assert all(f"{key} " in bound.domain for key in bound.parameters)
    assert bound.summary.endswith(".") and bound.example and bound.reference
    for form, why in bound.invalid.items():
        assert form in get_args(bound.parameters["form"].annotation) and why
        assert form != bound.parameters["form"].default
    if not bound.reference.startswith("Exact"):
        assert re.search(r" et al. 20\d\d|& Lee 2024", bound.reference)
        assert "Deviation: " in bound.sections["Notes"]
    documented = re.findall(r"^(\w+) : ", bound.sections["Parameters"], re.MULTILINE)
    assert documented == list(bound.parameters)


@pytest.mark.parametrize("name", BOUNDS)
def test_the_examples_are_true(name):
    """A wrapped function is none of the module's own to doctest."""
    function = BOUNDS[name].function
    names = vars(importlib.import_module(function.__module__))
    found = doctest.DocTestFinder().find(function, name, module=False, globs=dict(names))
    results = [doctest.DocTestRunner().run(test) for test in found]
    assert sum(result.attempted for result in results) and not any(r.failed for r in results)


def test_every_form_that_does_not_hold_is_marked():
    marked = {name: set(bound.invalid) for name, bound in BOUNDS.items() if bound.invalid}
    assert marked == {
        "mv_bound": {"printed"},
        "mv_bound_ssfa": {"printed", "without-eps"},
        "fd_bound_special": {"printed"},
        "vote_failure_bound": {"B"},
        "vote_rate_bound": {"B"},
        "honest_spread": {"printed"},
        "signguard_rate_bound": {"printed"},
    }


def test_inputs_are_left_as_they_are():
    p = np.array([0.1, 0.2, 0.3])
    for function in (fd_bound, mv_bound, majority_vote_error, weighted_vote_error, error_exponent):
        function(p)
    for function in (fd_bound_ssfa, mv_bound_ssfa, mv_epsilon, fd_bound_special):
        function(p, 2, 0.5)
    kearns_saul(p, 1.0), ssfa(p, 0.5), p_wrong_max(p), sign_noise_max(p), alpha_max(p + 0.5)
    assert p.tolist() == [0.1, 0.2, 0.3]


def test_the_folder_needs_numpy_and_pydantic_only():
    for file in Path(bounds.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                known = {*sys.stdlib_module_names, "numpy", "pydantic"}
                assert name.split(".")[0] in known or name.startswith(
                    "signfed.strategies.bounds"
                ), file
