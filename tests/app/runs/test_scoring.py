"""Scores by hand, and in the record of a run."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch

from signfed.app.runs import scoring
from signfed.app.runs.scoring import Scorer, error_rates, wrong_signs
from signfed.app.runs.summary import DETECTION
from signfed.attacks import Findings
from signfed.strategies.core.ledger import Ledger
from signfed.strategies.core.updates import Updates
from signfed.strategies.registry import STRATEGIES
from tests.federation import federate, locally

BYZANTINE, HONEST = {0, 1}, {2, 3, 4, 5}


@pytest.mark.parametrize(
    "record, byzantine, honest, expected",
    [
        ({"accepted": [1, 2, 3, 4]}, BYZANTINE, HONEST, (1 / 2, 1 / 4)),
        ({"accepted": [2, 3, 4, 5]}, BYZANTINE, HONEST, (0, 0)),
        ({"accepted": [0, 1]}, BYZANTINE, HONEST, (1, 1)),
        ({"accepted": []}, BYZANTINE, HONEST, (0, 1)),
        ({"accepted": [2]}, BYZANTINE, set(), (0, None)),
        ({"accepted": [2]}, set(), HONEST, (None, 3 / 4)),
        # Of 4 rows an equal share is 1/4, half of it 1/8; worker 5 sent nothing.
        (
            {"weights": {"0": 1 / 8, "2": 0.12, "3": 0.375, "4": 0.38}},
            BYZANTINE,
            HONEST,
            (0.5, 0.5),
        ),
        # What the rule says itself comes before what its weights say; keys as in a rule's own hand.
        ({"accepted": [2], "weights": {0: 1.0}}, BYZANTINE, HONEST, (0, 3 / 4)),
        ({"weights": {0: 1.0, 1: 0.0}}, BYZANTINE, HONEST, (0.5, 1)),
    ],
)
def test_error_rates_by_hand(record, byzantine, honest, expected):
    named = zip(("byzantine_accepted", "honest_rejected"), expected, strict=True)
    found = error_rates(Findings.from_record(record), byzantine, honest)
    assert found == {name: v for name, v in named if v is not None}


@pytest.mark.parametrize("record", [{}, {"weights": {}}, {"scores": {0: 1.0}, "fallback": "few"}])
def test_a_rule_that_says_nothing_has_no_score_for_it(record):
    assert error_rates(Findings.from_record(record), BYZANTINE, HONEST) == {}


def by_hand(honest, direction, *, signs):
    """wrong_signs with two Byzantine rows, which say the opposite of the first honest one."""
    lies = [[-100.0 * value for value in honest[0]]]
    rows = torch.tensor([lies[0], *honest, lies[0]])
    chosen = torch.tensor([False] + [True] * len(honest) + [False])
    return wrong_signs(Updates.from_matrix(rows, signs=signs), chosen, torch.tensor(direction))


def test_wrong_signs_of_an_odd_number_of_signs():
    """Nine coordinates, so that a byte is not full: + + + - - - - + +."""
    honest = [
        [2.0, 1.0, -1.0, -1.0, -1.0, 1.0, -3.0, 0.0, 1.0],
        [1.0, -1.0, 1.0, -1.0, -1.0, -1.0, -1.0, 0.0, -1.0],
        [1.0, 1.0, 1.0, -1.0, 1.0, -1.0, 9.0, -1.0, 1.0],
    ]
    theirs = [1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0, 1.0, 1.0]
    assert by_hand(honest, theirs, signs=True) == 0
    assert by_hand(honest, [-value for value in theirs], signs=True) == 1
    assert by_hand(honest, [0.0] * 9, signs=True) == 1  # stays where it was: not their sign
    found = [5.0, -0.1, 0.0, -7.0, 1.0, -1.0, -1.0, 1.0, 1.0]  # wrong: the second, third and fifth
    assert by_hand(honest, found, signs=True) == pytest.approx(3 / 9)


def test_wrong_signs_of_an_even_number_of_signs_ties_are_plus():
    honest = [[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]]
    assert by_hand(honest, [1.0, 1.0, 1.0, -1.0], signs=True) == 0
    assert by_hand(honest, [1.0, -1.0, 1.0, -1.0], signs=True) == 1 / 4


def test_wrong_signs_of_values_are_those_of_their_mean():
    """Sums 1, -1, 0 and 4: the third has no sign to miss, and counts as a coordinate."""
    honest = [[3.0, 1.0, -2.0, 2.0], [-2.0, -2.0, 2.0, 2.0]]
    assert by_hand(honest, [1.0, -1.0, 5.0, 1.0], signs=False) == 0
    assert by_hand(honest, [-1.0, 1.0, 5.0, -1.0], signs=False) == 3 / 4
    assert by_hand(honest, [0.0, -0.5, 0.0, 9.0], signs=False) == 1 / 4


def test_only_workers_that_sent_something_have_signs_and_all_can_be_trusted():
    """Of workers 0-6 (0-2 lie) 1, 3, 5 and 6 are there; the honest three say + + -."""
    rows = torch.tensor([[-9.0, -9, 9], [1, 1, -2], [1, 2, -1], [-1, -1, 2]])
    score = Scorer((0, 1, 2))
    for signs in (True, False):
        updates = Updates.from_matrix(rows, torch.tensor([1, 3, 5, 6]), signs=signs)
        found = score(updates, torch.tensor([1.0, -1.0, -1.0]), {"accepted": [2, 5, 6]})
        # of the Byzantine only 1 is there, which is not accepted; of the honest 3, 5 and 6 not 3
        assert found == pytest.approx(
            {"byzantine_accepted": 0, "honest_rejected": 1 / 3, "wrong_signs": 1 / 3}
        )


@pytest.mark.parametrize("signs", [True, False])
def test_who_is_honest_is_sent_to_a_device_once_for_the_same_workers(signs, monkeypatch):
    sent = []
    monkeypatch.setattr(scoring, "uploaded", lambda values, device: sent.append(values) or values)
    rows = torch.randn(4, 9, generator=torch.Generator().manual_seed(0))
    score = Scorer((0, 1))
    for ids in ([0, 1, 2, 3], [0, 1, 2, 3], [1, 2, 3, 4], [0, 1, 2, 3]):
        updates = Updates.from_matrix(rows, torch.tensor(ids), signs=signs)
        waited = score(updates, rows[3], {})["wrong_signs"]
        late = score(replace(updates, ledger=Ledger()), rows[3], {})["wrong_signs"]
        assert float(late) == pytest.approx(waited)
    assert len(sent) == 3


def test_without_an_honest_row_there_are_no_signs_to_compare_with():
    updates = Updates.from_matrix(torch.ones(2, 3), torch.tensor([0, 2]), signs=True)
    assert Scorer((0, 1, 2))(updates, torch.ones(3), {}) == {}
    assert Scorer((0, 1, 2))(updates, torch.ones(3), {"accepted": [0]}) == {
        "byzantine_accepted": 1 / 2
    }


def test_who_was_not_asked_is_not_rejected(tmp_path):
    """A rule that accepts every row, with half of the workers in each round."""
    keys = {"strategy": "sign-fd", "sign-fd.estimator": "agreement", "attack": "mimic"}
    done = locally(tmp_path, **keys, num_byzantine=3, num_rounds=6, fraction_train=0.5)
    assert all(len(line["accepted"]) == len(line["crossover"]) == 8 for line in done.rounds)
    assert {line["honest_rejected"] for line in done.rounds} == {0.0}
    assert {line.get("byzantine_accepted", 1.0) for line in done.rounds} == {1.0}


def scores(record):
    return {name: record[name] for name in DETECTION if name in record}


@pytest.mark.parametrize("engine", [federate, locally])
def test_the_record_of_a_run_holds_each_rounds_scores_and_its_summary_their_means(engine, tmp_path):
    done = engine(tmp_path, byzantine_ids="random", **{"sign-fd.estimator": "agreement"})
    byzantine = set(range(15)) - set(done.rounds[-1]["accepted"])
    assert len(byzantine) == 6 and scores(done.rounds[-1])["byzantine_accepted"] == 0
    for record in done.rounds:
        accepted = set(record["accepted"])
        assert set(scores(record)) == set(DETECTION)
        assert record["byzantine_accepted"] == len(byzantine & accepted) / 6
        assert record["honest_rejected"] == len(set(range(15)) - byzantine - accepted) / 9
    for name in DETECTION:
        mean = sum(record[name] for record in done.rounds) / len(done.rounds)
        assert done.summary[name] == pytest.approx(mean)


@pytest.mark.parametrize("engine", [federate, locally])
@pytest.mark.parametrize("encoder", ["sign", "float32"])
def test_a_vote_against_all_who_are_honest_has_all_bits_wrong(engine, encoder, tmp_path):
    """8 of 15 say the opposite of the vote of the other 7, which is never tied; by the mean of
    float values it is not theirs everywhere."""
    keys = {"strategy": "sign-mv", "num_byzantine": 8, "attack": "vote-aware", "encoder": encoder}
    found = [scores(record) for record in engine(tmp_path, **keys).rounds]
    if encoder == "sign":
        assert found == [{"wrong_signs": 1.0}] * 6
    else:
        assert all(0.5 < score["wrong_signs"] < 1 for score in found)


@pytest.mark.parametrize("engine", [federate, locally])
@pytest.mark.parametrize("keys", [{"attack": "none"}, {"num_byzantine": 0}])
def test_where_nobody_lies_there_are_no_scores(engine, keys, tmp_path):
    done = engine(tmp_path, **keys)
    assert not any(scores(record) for record in (*done.rounds, done.summary))


def test_where_all_lie_nobody_is_honest(tmp_path):
    done = locally(tmp_path, strategy="sign-mv", num_byzantine=15)
    assert not any(scores(record) for record in (*done.rounds, done.summary))


def test_a_rule_gets_rows_and_their_ids_and_no_more():
    known = {"ids", "server_round", "n_coordinates", "rows", "on_sign_channel", "magnitude"}
    known |= {"reference", "edges"}  # what the server knows of itself and of its model
    known |= {"ledger"}  # by which numbers are read from a device
    assert {field.name for field in fields(Updates)} == known


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_who_lies_changes_nothing_but_the_scores(strategy, tmp_path):
    """Byzantine workers that flip no bit: whoever they are, a rule that knows only their number
    does the same, and finds the same out, as where nobody is called Byzantine."""
    keys = {"strategy": strategy, "num_workers": 11, "num_byzantine": 2, "num_rounds": 3}
    idle = {"attack": "stochastic-sign-flip", "stochastic-sign-flip.probability": 0.0}
    quiet = locally(tmp_path / "quiet", **keys, attack="none")
    for byzantine in ("first", "4,9"):
        found = locally(tmp_path / byzantine, **keys, **idle, byzantine_ids=byzantine)
        assert found.sha256 == quiet.sha256
        assert all("wrong_signs" in record for record in found.rounds)
        for here, there in zip(found.rounds, quiet.rounds, strict=True):
            here = {k: v for k, v in here.items() if k not in DETECTION}
            assert here | {"seconds": 0} == there | {"seconds": 0}
