"""The loop of every engine, with updates from a list."""

import pytest
import torch

from signfed.strategies.core.codecs import Float32Codec
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.updates import Updates
from signfed.strategies.mean import Mean
from signfed.strategies.server.federation import Federation, FederationError, Participation
from signfed.strategies.server.loop import run_rounds
from signfed.strategies.server.optimizer import Step
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training

ROWS = torch.tensor([[1.0, -2.0], [3.0, 4.0]])


class Listed:
    """A collector of what it is given: worker 2 sends nothing that is finite."""

    def __init__(self, *rounds):
        self.rounds, self.asked = rounds, []

    def collect(self, server_round):
        self.asked.append(server_round)
        record = RoundRecord(server_round, nodes=3, uplink_bytes=16)
        record.drop({2: DropReason.NON_FINITE})
        rows = self.rounds[server_round - 1]
        updates = None if rows is None else Updates.from_matrix(rows, server_round=server_round)
        return updates, record

    def state_dict(self):
        return {"asked": torch.tensor(self.asked)}


def training(**more):
    federation = Federation(Participation(3), Float32Codec(), "float32", Step(lr=0.5), quorum=2)
    return Training(Mean(), federation, torch.zeros(2), **more)


def test_a_round_is_collected_aggregated_stepped_evaluated_and_recorded(caplog):
    model, collector, seen = training(), Listed(ROWS, ROWS[:1], ROWS), []

    def evaluate(server_round, parameters):
        return {"test_loss": parameters.tolist()[0]} if server_round > 1 else None

    def on_round(record, state):
        seen.append((record.to_json(), state()))

    run_rounds(model, collector, (1, 2, 3), evaluate=evaluate, on_round=on_round)
    lines, states = zip(*seen, strict=True)
    assert [line["received"] for line in lines] == [2, 1, 2]
    assert [line.get("skipped") for line in lines] == [None, "1 valid updates, quorum 2", None]
    assert [line.get("test_loss") for line in lines] == [None, -1.0, -2.0]
    assert all(line["dropped"] == {"non-finite": [2]} for line in lines)
    assert all(set(line["seconds"]) == {"server", "evaluate"} for line in lines)
    assert [state["asked"].tolist() for state in states] == [[1], [1, 2], [1, 2, 3]]
    assert [state["taken"].item() for state in states] == [1, 1, 2]
    assert model.parameters.tolist() == [-2.0, -1.0]
    said = [r.getMessage() for r in caplog.records if "not finite" in r.getMessage()]
    assert said == ["worker 2: its update is not finite, and is not used"]


def test_a_state_is_gone_on_from():
    whole, first = training(), training()
    run_rounds(whole, Listed(ROWS, -2 * ROWS), (1, 2))
    run_rounds(first, Listed(ROWS), (1,))
    then = training(state=first.state_dict())
    run_rounds(then, Listed(None, -2 * ROWS), (2,))
    assert torch.equal(then.parameters, whole.parameters) and then.taken == 2


def test_five_skipped_rounds_in_a_row_end_the_run_with_the_reasons():
    collector = Listed(ROWS, *[None] * 9)
    with pytest.raises(FederationError, match=r"5 skipped in a row.*dropped: 1 non-finite"):
        run_rounds(training(), collector, range(1, 11))
    assert collector.asked == [1, 2, 3, 4, 5, 6]
    with pytest.raises(FederationError, match="1 skipped in a row"):
        run_rounds(training(), Listed(None), (1,))


def test_scores_of_a_detection_are_on_record():
    seen = []
    observed = training(observe=lambda updates, direction, findings: {"wrong_signs": 0.25})
    run_rounds(observed, Listed(ROWS), (1,), on_round=lambda record, state: seen.append(record))
    assert seen[0].wrong_signs == 0.25
