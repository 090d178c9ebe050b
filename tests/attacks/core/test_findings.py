"""What a rule found out, from its record."""

from signfed.attacks import Findings


def test_worker_ids_are_numbers_also_where_a_record_was_read_from_a_file():
    for key in (int, str):
        record = {"crossover": {key(3): 0.4}, "weights": {key(1): 0.5}, "accepted": [3, 5]}
        found = Findings.from_record(record | {"norms": {"3": 1.0}})
        assert found.crossover == {3: 0.4} and found.weights == {1: 0.5}
        assert found.accepted == frozenset({3, 5})
        assert found.record["norms"] == {"3": 1.0}


def test_what_a_rule_does_not_say_is_not_known():
    assert Findings.from_record({"round": 1}) == Findings(record={"round": 1})
    assert Findings().accepted is None and Findings.from_record({"accepted": []}).accepted == set()
