"""What a rule returns is checked where it returns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from signfed.strategies.bucketing import Bucketing
from signfed.strategies.core.options import options_of
from signfed.strategies.core.rule import Rule, direction_of
from signfed.strategies.core.state import as_at_first, state_of
from signfed.strategies.core.updates import Updates
from signfed.strategies.krum import Krum
from signfed.strategies.mean import Mean
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.sign_fd import SignFD

UPDATES = Updates.from_matrix(torch.tensor([[1.0, -2, 3], [4, 5, -6]]))


class Returns(Rule):
    def __init__(self, found=None, state=None):
        self._found, self._state = found, state

    def aggregate(self, updates):
        return self._found

    def state_dict(self):
        return self._state


class Behind(Returns):
    """As a pre-aggregation does: what the rule behind it returns."""

    def __init__(self, inner):
        super().__init__(inner._found, inner._state)
        self.inner = inner


@pytest.mark.parametrize(
    "found",
    [
        torch.tensor([1.0, 2, 3]),
        torch.tensor([1, 2, 3]),
        torch.tensor([1.0, 2, 3], dtype=torch.float64),
        np.array([1.0, 2, 3]),
        np.array([1, 2, 3], np.int8),
        np.array([1, 2, 3], ">f4"),
        np.array([3.0, 2, 1])[::-1],
    ],
)
def test_a_vector_of_numbers_is_taken_as_float32(found):
    direction = direction_of(Returns(found), UPDATES)
    assert direction.dtype == torch.float32 and direction.tolist() == [1, 2, 3]


@pytest.mark.parametrize("found", [torch.ones(3), np.ones(3)], ids=["tensor", "array"])
def test_a_vector_made_on_the_cpu_goes_where_the_rows_are(found):
    away = replace(UPDATES, rows=UPDATES.rows.to("meta"))
    assert direction_of(Returns(found), away).device.type == "meta"


@pytest.mark.parametrize(
    "found, said",
    [
        (None, "got NoneType; return a tensor"),
        ([1.0, 2.0, 3.0], "got list; return a tensor"),
        (1.0, "got float"),
        (torch.tensor(1.0), r"got shape \(\)"),
        (np.float32(1), "got float32"),
        (torch.ones(2), r"got shape \(2,\)"),
        (torch.ones(1, 3), r"got shape \(1, 3\)"),
        (np.ones((3, 1)), r"got shape \(3, 1\)"),
        (torch.ones(3, dtype=torch.complex64), "got torch.complex64; return real numbers"),
        (torch.ones(3, dtype=torch.bool), "got torch.bool; return real numbers"),
        (np.ones(3, bool), "got ndarray of bool"),
        (np.array(["a", "b", "c"]), "got ndarray of <U1"),
        (np.array([1, 2, None]), "got ndarray of object"),
    ],
)
def test_anything_else_is_refused_with_the_class_and_what_was_expected(found, said):
    with pytest.raises(ValueError, match=rf"^Returns.aggregate: expected a vector of 3 .*{said}"):
        direction_of(Returns(found), UPDATES)
    with pytest.raises(ValueError, match=r"^Behind\(Returns\).aggregate: "):
        direction_of(Behind(Returns(found)), UPDATES)


@pytest.mark.parametrize(
    "state, said",
    [
        (None, "got NoneType; return {} for no state"),
        ([torch.ones(1)], "got list"),
        ({"a": 1.0}, "got float under 'a'"),
        ({"a": np.ones(3)}, "got ndarray under 'a'"),
        ({"a": None}, "got NoneType under 'a'"),
        ({0: torch.ones(1)}, "got Tensor under 0"),
    ],
)
def test_a_state_is_tensors_by_name(state, said):
    assert state_of(Returns(state={})) == {}
    with pytest.raises(ValueError, match=f"^Returns.state_dict: expected a dictionary .*{said}"):
        state_of(Returns(state=state))


def test_a_rule_is_described_with_the_options_of_the_one_behind_it():
    rule = Bucketing(Krum(n_byzantine=2), size=3, seed=5)
    assert rule.title() == "Bucketing(Krum)"
    before, behind = rule.describe().split(" before ")
    assert before.startswith("Bucketing ") and "'size': 3" in before and "'seed': 5" in before
    assert behind.startswith("Krum ") and "'n_byzantine': 2" in behind


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_rule_is_described_with_all_of_its_options(name):
    """A run in another's app goes on only where the description is the same."""
    described = STRATEGIES[name]().describe()
    assert [o.key for o in options_of(STRATEGIES[name]) if f"'{o.name}': " not in described] == []


class OwnVote(SignFD):
    def aggregate(self, updates):
        return updates.signs().vote().dense()


class Mixed(OwnVote, Krum):
    """Its `aggregate` is that of OwnVote."""


class Reading(Krum):
    reads = True

    def aggregate(self, updates):
        return super().aggregate(updates)


def test_that_a_rule_reads_is_said_of_one_aggregate():
    assert SignFD().reads and Krum().reads and STRATEGIES["multi-krum"]().reads and Reading().reads
    assert STRATEGIES["signguard-sim"]().reads and STRATEGIES["signguard-dist"]().reads
    assert not (SignFD("pooled").reads or OwnVote().reads or Mixed().reads)


def test_a_rule_object_is_called_on_a_matrix_and_remembers():
    """Worker 2 was outvoted everywhere in the first call: in the second it is read inverted."""
    rule = SignFD("pooled")
    signs = np.array([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    assert rule(signs).tolist() == [1.0, -1.0]
    assert rule(signs[[0, 2, 2]]).tolist() == [1.0, -1.0]  # a plain vote gives [-1, 1]
    assert SignFD("pooled")(signs[[0, 2, 2]]).tolist() == [-1.0, 1.0]
    tensor = Mean()([torch.ones(3), torch.full((3,), 3.0), torch.full((3,), torch.nan)])
    assert isinstance(tensor, torch.Tensor) and tensor.tolist() == [2.0] * 3
    with pytest.raises(ValueError, match="krum needs n >= 2f"):
        Krum(n_byzantine=2)(np.ones((5, 3)))


class InPlace(Mean):
    """It hands out the tensor that it adds to, and adds to the one that it is given."""

    def __init__(self):
        self.total = torch.zeros(3)

    def aggregate(self, updates):
        self.total += super().aggregate(updates)
        return self.total.clone()

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, state):
        self.total = state["total"]


def test_each_run_begins_alike_whatever_a_rule_does_to_its_tensors():
    rule, answers = InPlace(), []
    for _ in range(3):
        as_at_first(rule)
        answers.append(rule.aggregate(UPDATES).tolist())
    assert answers == [[2.5, 1.5, -1.5]] * 3
