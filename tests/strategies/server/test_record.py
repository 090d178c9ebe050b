"""The record of a round, and its line in `rounds.jsonl`."""

import json

import pytest

from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.server.record import RoundRecord


def test_a_quiet_round_has_its_counts_and_nothing_else():
    line = RoundRecord(7, nodes=2, received=15, uplink_bytes=30, downlink_bytes=9).to_json()
    assert line == {
        "round": 7, "nodes": 2, "received": 15, "dropped": {}, "uplink_bytes": 30,
        "downlink_bytes": 9, "seconds": {},
    }  # fmt: skip


def test_the_dropped_are_named_under_their_reasons():
    record = RoundRecord(1)
    record.drop({9: DropReason.NO_NODE, 4: DropReason.NO_NODE})
    record.drop({5: DropReason.NON_FINITE, 2: DropReason.NO_NODE})
    dropped = json.loads(json.dumps(record.to_json()))["dropped"]
    assert dropped == {"no-node": [2, 4, 9], "non-finite": [5]}
    assert record.losses == "3 no-node, 1 non-finite" and RoundRecord(1).losses == "none"


def test_a_score_of_zero_is_on_record_and_an_unknown_one_refused():
    record = RoundRecord(1)
    record.add_scores({"test_loss": 0.0, "wrong_signs": 0.0})
    record.add_scores({"byzantine_accepted": 0.5})
    line = record.to_json()
    assert (line["test_loss"], line["wrong_signs"], line["byzantine_accepted"]) == (0.0, 0.0, 0.5)
    assert "test_accuracy" not in line and "honest_rejected" not in line
    with pytest.raises(ValueError, match=r"expected scores among test_accuracy.*; got 'received'"):
        record.add_scores({"received": 3})


def test_findings_are_fields_of_the_line():
    record = RoundRecord(1)
    record.add_findings("Rule", {"crossover": {0: 0.25}, "accepted": []})
    assert record.to_json()["crossover"] == {0: 0.25} and record.to_json()["accepted"] == []


@pytest.mark.parametrize(
    "findings, said",
    [
        (None, "got NoneType"),
        ([1], "got list"),
        ({"received": 3}, "'received' is a field of every round's record"),
        ({"seen": {1, 2}}, "set is not JSON serializable"),
    ],
)
def test_findings_that_are_none_are_refused_by_name(findings, said):
    with pytest.raises(ValueError, match=rf"^Mine.diagnostics: expected a dictionary .*{said}"):
        RoundRecord(1).add_findings("Mine", findings)


def test_a_phase_adds_up():
    record = RoundRecord(1)
    for _ in range(2):
        before = dict(record.seconds)
        with record.timed("server"):
            pass
        assert record.seconds["server"] > before.get("server", 0.0)
