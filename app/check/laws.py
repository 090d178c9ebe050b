"""Laws that an aggregation rule may keep, each tried on one matrix.

A law is a function of the rule and the rows, float32 [n, N]. It returns what went wrong, or "".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from signfed.app.check.subject import Subject
from signfed.strategies.core.state import state_of
from signfed.strategies.core.updates import Updates

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
FAR = 10.0  # lengths of the longest honest row: what a bounded rule may be moved by
HUGE = np.float32(1e38)
FEWER = "; a rule for a smaller minority says so in admissible(n)"
REMEMBERS = (
    "; what a rule remembers it returns in state_dict() and takes in load_state_dict(state), and "
    "what it draws is a function of its seed and the round"
)
Try = Callable[[Subject, np.ndarray], str]


@dataclass(frozen=True)
class Law:
    """One law.

    Attributes
    ----------
    name : str
    says : str
        What it promises, in a sentence.
    holds : callable
        Rule and rows -> what went wrong, or "".
    of : str
        "all" rules, those on "signs", or those on "floats".
    least : int
        Rows that it needs.
    must : bool
        Whether a rule that breaks it is wrong; else it is another kind of rule.
    """

    name: str
    says: str
    holds: Try
    of: str = "all"
    least: int = 1
    must: bool = True


def _differ(found: np.ndarray, expected: np.ndarray, what: str) -> str:
    if np.allclose(found, expected, **CLOSE, equal_nan=True):
        return ""
    return f"{what}: {_shown(found)}, expected {_shown(expected)}"


def _shown(vector: np.ndarray) -> str:
    return np.array2string(vector, precision=4, threshold=8, separator=", ")


def _permutation(rule: Subject, rows: np.ndarray) -> str:
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    return _differ(rule(rows[order]), rule(rows), f"rows in the order {order.tolist()}")


def _unanimity(rule: Subject, rows: np.ndarray) -> str:
    alike = np.repeat(rows[:1], len(rows), axis=0)
    expected = np.where(rows[0] >= 0, 1.0, -1.0) if rule.votes else rows[0]
    return _differ(rule(alike), expected.astype(np.float32), "all send the first row")


def _scale(rule: Subject, rows: np.ndarray) -> str:
    factor = np.float32(1.0 if rule.votes else 4.0)
    return _differ(rule(4 * rows), factor * rule(rows), "all rows times 4")


def _shift(rule: Subject, rows: np.ndarray) -> str:
    by = np.linspace(-5, 5, rows.shape[1], dtype=np.float32)
    return _differ(rule(rows + by), rule(rows) + by, "all rows moved by -5 to 5")


def _bounded_movement(rule: Subject, rows: np.ndarray) -> str:
    f = rule.most_byzantine(len(rows))
    honest = rows[f:]
    centre = honest.mean(axis=0)
    longest = float(np.linalg.norm(honest, axis=1).max())
    for name, sent in _hostile(honest, f).items():
        found = rule(np.concatenate([sent, honest]), f)
        if rule.votes:
            sure = (honest >= 0).all(axis=0) | (honest < 0).all(axis=0)
            turned = sure & (np.sign(found) != np.where(honest[0] >= 0, 1, -1))
            if turned.any():
                return f"{f} rows of {name} turn what all others agree on: {_shown(found)}" + FEWER
        elif not np.linalg.norm(found - centre) <= FAR * longest + 1e-5:
            return (
                f"{f} rows of {name} move it to {_shown(found)}, more than {FAR:g} times "
                f"the longest other row ({longest:.3g}) from their mean, {_shown(centre)}{FEWER}"
            )
    return ""


def _hostile(honest: np.ndarray, f: int) -> dict[str, np.ndarray]:
    """Rows of f Byzantine workers, float32 [f, N], by name."""
    centre = honest.mean(axis=0)
    scale = np.abs(honest).max() + np.float32(1)
    rows = {
        "a million times the opposite": -1e6 * centre - np.float32(1e6) * scale,
        "ten times the opposite": -10 * centre,
        "one coordinate moved far": np.concatenate([centre[:1] + 1e6 * scale, centre[1:]]),
    }
    return {name: np.tile(row, (f, 1)).astype(np.float32) for name, row in rows.items() if f}


def _inputs_untouched(rule: Subject, rows: np.ndarray) -> str:
    fresh = rule.rule(len(rows))
    updates = Updates.from_matrix(torch.from_numpy(rows), signs=fresh.encoder == "sign")
    own = rule.references(rows)
    if own:
        updates = replace(updates, reference=torch.from_numpy(own["reference"]))
    before = updates.rows.numpy().tobytes()
    fresh.aggregate(updates)
    return "" if before == updates.rows.numpy().tobytes() else "the rows were changed in place"


def _non_finite_rows(rule: Subject, rows: np.ndarray) -> str:
    more = np.concatenate([rows, np.full((1, rows.shape[1]), np.nan, np.float32)])
    if not np.isfinite(rule(more)).all():
        return "with one row of NaN the answer is not finite"
    far = np.concatenate([rows, np.full((1, rows.shape[1]), HUGE)])
    with np.errstate(all="ignore"):
        found = rule(far, min(1, rule.most_byzantine(len(far))))
    return "" if np.isfinite(found).all() else f"with one row of 1e38 the answer is {_shown(found)}"


def _ties(rule: Subject, rows: np.ndarray) -> str:
    even = np.concatenate([rows, -rows])
    found, zeros = rule(even), rule(np.zeros_like(rows))
    if rule.votes:
        wrong = (found != 1).any() or (zeros != 1).any()
        return f"ties and zeros: {_shown(found)}, expected +1" if wrong else ""
    if again := _differ(rule(even), found, "the same rows again"):
        return again
    return _differ(zeros, np.zeros_like(zeros), "all rows 0")


def _resume(rule: Subject, rows: np.ndarray) -> str:
    whole, anew = rule.rule(len(rows)), rule.rule(len(rows))
    for server_round, sent in enumerate((rows, -2 * rows, rows + 1), 1):
        whole(sent, server_round=server_round, **rule.references(sent))
    anew.load_state_dict({name: kept.clone() for name, kept in state_of(whole).items()})
    last = {"server_round": 4, **rule.references(rows)}
    found, expected = (np.asarray(each(rows, **last)) for each in (anew, whole))
    wrong = _differ(found, expected, "round 4, by a new object with the state after round 3")
    return wrong and wrong + REMEMBERS


LAWS = (
    Law("permutation", "no worker has a say because of its number", _permutation, least=2),
    Law("unanimity", "what all send is the answer", _unanimity),
    Law("scale", "4 times the rows, 4 times the answer; of signs the same", _scale, must=False),
    Law("shift", "rows that are moved move the answer alike", _shift, of="floats", must=False),
    Law(
        "bounded movement", "the largest minority that it admits cannot take it far away",
        _bounded_movement, least=3,
    ),
    Law("inputs untouched", "the rows are not changed", _inputs_untouched),
    Law("non-finite rows", "NaN and 1e38 from one worker leave the answer finite",
        _non_finite_rows, least=3),
    Law("ties", "ties of signs are +1; zeros give zero, and the same rows the same answer", _ties),
    Law("resume", "a new object that was given its state goes on as it would have", _resume),
)  # fmt: skip
