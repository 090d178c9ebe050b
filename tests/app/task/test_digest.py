"""Server and nodes compare what they compute on, and who differs is refused by name."""

import logging

import numpy as np
import pytest
import torch

from signfed.app.config.run_config import parse
from signfed.app.task import TASKS
from signfed.app.task.digest import fingerprint
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.transport.digests import compare
from tests.federation import federate

# Each differs at every call, as it would in every process; the part that it changes.
IMPURE = {
    "data": """
    import time
    usual_load = load
    def load(data_dir, download):
        data = usual_load(data_dir, download)
        data.train_x[0, 0] = time.perf_counter()
        return data
    """,
    "labels": """
    CALLS = []
    usual_load = load
    def load(data_dir, download):
        CALLS.append(0)
        data = usual_load(data_dir, download)
        data.test_y[0] = len(CALLS) % 2
        return data
    """,
    "model": """
    import os
    def net(spec):
        model = nn.Linear(16, spec.num_classes)
        model.weight.data = torch.tensor(list(os.urandom(32))).view(2, 16) / 1000
        return model
    """,
    "buffers": """
    G = torch.Generator()
    class Features(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.register_buffer("directions", torch.randn(16, 16, generator=G))
            self.linear = nn.Linear(16, classes)
        def forward(self, x):
            return self.linear(torch.relu(x @ self.directions))
    def net(spec):
        return Features(spec.num_classes)
    """,
}


@pytest.mark.parametrize("part", IMPURE)
def test_a_node_that_differs_is_refused_by_name_with_what_differs(part, mine, tmp_path, caplog):
    keys = mine(IMPURE[part])
    with caplog.at_level(logging.WARNING), pytest.raises(FederationError) as ended:
        federate(
            tmp_path / "run", **keys, strategy="mean", attack="none", batch_size=10, num_rounds=2,
            node_timeout=0.2,
        )  # fmt: skip
    said = f"its {part} differ from the server's (usual causes: "
    assert f"node 100 takes no part: {said}" in caplog.text
    assert f"node 100: {said}" in str(ended.value)


def test_other_shards_are_seen(mine):
    def digest(**given):
        return TASKS["digits"].problem(parse({"device": "cpu", **given}).workload).digest()

    first, other = digest(), digest(seed=1)
    assert {part for part in first if first[part] != other[part]} == {"shards", "model"}
    assert digest(partition="shared")["shards"] != first["shards"]
    assert set(first) == {"data", "labels", "shards", "model", "buffers"}
    assert digest() == first and all(len(text) < 200 for text in first.values())


def test_frozen_weights_belong_to_the_model(problem):
    code = """
    def net(spec):
        model = nn.Sequential(nn.Linear(16, 8), nn.Linear(8, spec.num_classes))
        model[0].requires_grad_({trained}).weight.data[3, 3] {change}
        return model
    """
    digests = [
        problem(code.format(trained=trained, change=change)).digest()
        for trained, change in ((False, "+= 0"), (False, "+= 1e-3"), (True, "+= 0"))
    ]
    assert len({digest["model"] for digest in digests}) == 3
    assert len({digest["data"] for digest in digests}) == 1


@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(0, 3), torch.ones(()), torch.arange(6).view(2, 3).t(), torch.ones(3).bool(),
        torch.ones(3, dtype=torch.bfloat16), torch.ones(2, dtype=torch.complex64),
        torch.ones(1, 1).expand(4, 4),
    ],
)  # fmt: skip
def test_any_tensor_has_a_fingerprint_of_its_values_alone(x):
    assert fingerprint([("x", x)]) == fingerprint([("x", x.clone().contiguous())])
    others = [("y", x), ("x", x.unsqueeze(0)), ("x", torch.full((5,), 7))]
    assert len({fingerprint([("x", x)]), *(fingerprint([other]) for other in others)}) == 4


def test_what_was_computed_is_compared_between_machines_of_one_kind_only(caplog):
    here = {"data": "1", "model": "2@x86"}
    assert compare(7, here, {"data": "1", "model": "3@arm"}) == ""
    assert "node 7: its model cannot be compared: made on arm, the server's on x86" in caplog.text
    assert "its data differ" in compare(7, here, {"data": "2@arm", "model": "3@arm"})
    assert "its model differ" in compare(7, here, {"data": "1", "model": "3@x86"})
    assert "its data and model differ" in compare(7, here, {})
    assert compare(7, {}, here) == ""


def test_one_node_that_differs_does_not_end_the_run(mine, tmp_path, monkeypatch, caplog):
    """The others go on where quorum allows, and its workers have no node."""
    from signfed.app.node import answers

    real, calls = answers.wire.hello_reply, []

    def hello_reply(message, partition, num_partitions, digest):
        calls.append(partition)
        other = digest | {"data": "another"} if partition == 1 else digest
        return real(message, partition, num_partitions, other)

    monkeypatch.setattr(answers.wire, "hello_reply", hello_reply)
    keys = {"num_rounds": 2, "node_timeout": 0.2, "attack": "none", "num_byzantine": 0}
    done = federate(tmp_path / "run", nodes=5, **keys)
    # It is asked again every node-timeout: its owner may have mended it.
    assert (
        calls[:5] == list(range(5))
        and set(calls[5:]) <= {1}
        and "node 101 takes no part: its data differ" in caplog.text
    )
    assert [r["received"] for r in done.rounds] == [12, 12]


def test_a_quadratic_has_a_digest():
    problems = [
        TASKS["quadratic"].problem(parse({"task": "quadratic", "seed": seed}).workload)
        for seed in (0, 0, 1)
    ]
    first, again, other = (found.digest() for found in problems)
    assert first == again != other and np.ndim(first["model"]) == 0
