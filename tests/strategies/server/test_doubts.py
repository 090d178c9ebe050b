"""What a run says and does when a rule's verdict contradicts the assumed number of attackers."""

import io

import pytest
from rich.console import Console

from signfed.app.report.closing import print_closing
from signfed.app.runs.folder import read_summary
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.server.doubts import broken_assumption
from signfed.strategies.server.federation import FederationError
from tests.federation import federate, locally

SHORT = {"num_rounds": 3, "sign-fd.estimator": "agreement"}


@pytest.mark.parametrize(
    "accepted, received, assumed, said",
    [
        (range(9), 15, 6, None),
        (range(9), 15, 5, "6 of 15 workers rejected, at most 5 assumed to be Byzantine"),
        (range(8), 15, 7, None),
        (range(7), 15, 7, "7 of 15 workers accepted, no majority"),
        (range(7), 14, 14, "7 of 14 workers accepted, no majority"),
        (range(1), 1, 0, None),
        ((), 3, 3, "0 of 3 workers accepted, no majority"),
    ],
)
def test_a_verdict_beside_what_was_assumed(accepted, received, assumed, said):
    assert broken_assumption(accepted, received, assumed) == said


@pytest.mark.parametrize("engine", [federate, locally])
def test_the_record_of_each_round_says_it(engine, tmp_path):
    done = engine(tmp_path, num_byzantine=4, assumed_byzantine=3, **SHORT)
    said = "4 of 15 workers rejected, at most 3 assumed to be Byzantine"
    assert [r["broken_assumption"] for r in done.rounds] == [said] * 3
    assert done.summary["status"] == "finished"


def test_an_assumption_that_holds_is_not_mentioned(tmp_path):
    done = locally(tmp_path, num_byzantine=4, assumed_byzantine=4, **SHORT)
    assert all("broken_assumption" not in r for r in done.rounds)
    assert [r["accepted"] for r in done.rounds] == [list(range(4, 15))] * 3


@pytest.mark.parametrize("engine", [federate, locally])
def test_a_run_may_stop_instead(engine, tmp_path):
    keys = {"num_byzantine": 4, "assumed_byzantine": 3, "when_broken": "stop"}
    with pytest.raises(FederationError, match="round 1: broken assumption: 4 of 15 workers"):
        engine(tmp_path, **keys, **SHORT)
    assert read_summary(tmp_path)["rounds"] == 0


def test_a_rule_that_takes_a_fixed_number_of_rows_passes_no_verdict(tmp_path):
    done = locally(tmp_path, strategy="krum", num_byzantine=2, num_rounds=2)
    assert all(len(r["accepted"]) == 1 and "broken_assumption" not in r for r in done.rounds)
    assert not any(STRATEGIES[name]().judges for name in ("krum", "multi-krum", "bulyan", "dnc"))


@pytest.mark.parametrize("assumed", [3, 4])
def test_the_closing_table_names_nobody_where_it_is_broken(assumed, tmp_path):
    locally(tmp_path, num_byzantine=4, assumed_byzantine=assumed, **SHORT)
    out = io.StringIO()
    print_closing(Console(file=out, width=200), tmp_path, (0, 1, 2, 3))
    text = out.getvalue()
    assert ("rejected: 0, 1, 2, 3" in text) == (assumed == 4)
    assert ("broken assumption in 3 of 3 rounds, at last in round 3" in text) == (assumed == 3)
    assert ("no verdict" in text) == (assumed == 3) != ("accepted" in text.split("workers")[1])
