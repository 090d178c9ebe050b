"""A SuperLink and SuperNodes on loopback, without TLS; with it: federation/test_trial.py."""

from __future__ import annotations

import pytest

from signfed.app.runs.folder import read_rounds, read_summary
from tests.federation import federate
from tests.loopback import Processes
from tests.waiting import GUARD

pytestmark = pytest.mark.deployment
NODES, ROUNDS = 2, 2  # each node starts a process for each message


@pytest.fixture
def processes(tmp_path):
    running = Processes(tmp_path)
    yield running
    running.end()


def test_supernodes_train_the_model_of_the_in_process_run(tmp_path, processes):
    processes.federation(NODES)
    short = (
        f"task='quadratic' num-rounds={ROUNDS}"  # no data: the messages are Flower's all the same
    )
    timeouts = f"node-timeout={GUARD} round-timeout={GUARD}"
    config = f"{short} {timeouts} out-dir='{tmp_path / 'run'}'"
    status = processes.run_to_its_end(config)
    assert status == "finished:completed", (tmp_path / "superlink.log").read_text()[-3000:]
    summary, rounds = read_summary(tmp_path / "run"), read_rounds(tmp_path / "run")
    assert summary["status"] == "finished", summary
    assert [(r["nodes"], r["received"]) for r in rounds] == [(NODES, 15)] * ROUNDS
    # The same workers and rounds in one process: the same bits.
    same = federate(
        tmp_path / "same", task="quadratic", num_rounds=ROUNDS, **{"sign-fd.estimator": "agreement"}
    )
    assert summary["model_sha256"] == same.sha256
    # What no device can know is refused before round 1.
    config = f"{short} attack='lie' out-dir='{tmp_path / 'refused'}'"
    assert processes.run_to_its_end(config) == "finished:failed"
    assert not (tmp_path / "refused").exists()
