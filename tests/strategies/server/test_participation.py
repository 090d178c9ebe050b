"""Rounds that ask some, nodes that die, come back, miss rounds, come late and join late."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Context, RecordDict
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.memory import formula
from signfed.app.client_app import app as client_app
from signfed.app.runs.folder import read_rounds
from signfed.app.server_app import run
from signfed.strategies.server.federation import FederationError, Participation
from tests.federation import config_for, federate, named, outcome
from tests.grid import InProcessGrid

ROOT = Path(__file__).parents[3]


@given(st.integers(1, 60), st.floats(0.001, 1.0), st.integers(0, 2**63 - 1), st.integers(1, 9999))
def test_a_round_asks_the_share_rounded_up_and_nobody_twice(workers, fraction, seed, server_round):
    chosen = Participation(workers, fraction, seed).workers(server_round)
    assert len(chosen) == max(1, int(np.ceil(np.round(fraction * workers, 9))))
    assert list(chosen) == sorted(set(chosen)) and chosen[0] >= 0 and chosen[-1] < workers
    assert chosen == Participation(workers, fraction, seed).workers(server_round)


def test_rounds_and_seeds_draw_anew_and_everybody_has_his_turn():
    here, there = Participation(15, 0.4, 0), Participation(15, 0.4, 1)
    rounds = [here.workers(t) for t in range(1, 301)]
    assert len(set(rounds)) > 250 and rounds[:9] != [there.workers(t) for t in range(1, 10)]
    turns = Counter(worker for chosen in rounds for worker in chosen)
    # 300 draws at 0.4: mean 120, standard deviation 8.5
    assert set(turns) == set(range(15)) and all(85 < n < 155 for n in turns.values())


def test_a_quorum_is_a_share_of_those_asked(tmp_path):
    """6 of 15 asked, 3 of them needed; a node with 7 of 15 workers is silent."""
    silent = {1: lambda q, r: [] if q.metadata.message_type == "train" else [r]}
    keys = {"nodes": 2, "fraction_train": 0.4, "round_timeout": 0.02, "num_rounds": 12}
    keys["assumed_byzantine"] = 2  # sign-fd needs an honest majority among those asked
    done = federate(tmp_path / "run", tamper=silent, **keys)
    chosen = [Participation(15, 0.4, 0).workers(t) for t in range(1, 13)]
    even = [sum(w % 2 == 0 for w in ids) for ids in chosen]
    assert [r["received"] for r in done.rounds] == even
    assert done.dropped == [{"no-reply": 6 - n} if n < 6 else {} for n in even]
    assert ["skipped" in r for r in done.rounds] == [n < 3 for n in even]


class Restless(InProcessGrid):
    """Nodes that come and go: at every look for nodes `script(grid, rounds)` may change all.

    rounds: those whose requests went out. How often the server looks is a matter of time.

    gone: partitions whose node is not connected. late: partitions whose reply is held back until
    after the next round has begun.
    """

    def __init__(self, num_nodes, config, script=lambda grid, rounds: None, gone=()):
        super().__init__(client_app, num_nodes, config)
        self._script, self._rounds, self._config = script, 0, config
        self.gone, self.late, self._held = {100 + p for p in gone}, set(), {}
        self.asked = Counter()

    def get_node_ids(self):
        self._script(self, self._rounds)
        return [node for node in super().get_node_ids() if node not in self.gone]

    def push_messages(self, messages):
        ids = []
        for message in messages:
            node = message.metadata.dst_node_id
            assert node not in self.gone, "a message to nobody"
            (message_id,) = super().push_messages([message])
            if message.metadata.message_type == "train":
                self.asked[node] += 1
                self._rounds = int(message.content["config"]["round"])
                if node - 100 in self.late:
                    self._held[message_id] = self._inbox.pop(message_id)
            ids.append(message_id)
        return ids

    def deliver(self):
        """What was held back arrives."""
        self._inbox |= self._held
        self._held = {}

    def restart(self, partition, num_nodes, node):
        """The device is started again: to Flower it is another node, without a memory."""
        self.gone.discard(node)
        place = {"partition-id": partition, "num-partitions": num_nodes}
        self._contexts[node] = Context(1, node, place, RecordDict(), dict(self._config))


def restless(path, script=lambda grid, rounds: None, nodes=3, gone=(), **keys):
    config = config_for(path, {"round-timeout": 0.02, "node-timeout": 0.1} | named(keys))
    grid = Restless(nodes, config, script, gone)
    run(grid, config)
    return grid, outcome(path)


def test_a_node_that_comes_later_joins(tmp_path):
    def script(grid, rounds):
        if rounds and len(read_rounds(tmp_path / "run")) == 3:
            grid.gone.clear()

    _, done = restless(tmp_path / "run", script, gone=[2])
    assert [r["received"] for r in done.rounds] == [10, 10, 10, 15, 15, 15]
    assert done.dropped == [{"no-node": 5}] * 3 + [{}] * 3


def test_without_a_quorum_of_nodes_nothing_starts(tmp_path):
    said = r"workers \[1, 2, .* have none .* quorum needs 8: start"
    with pytest.raises(FederationError, match=said):
        restless(tmp_path / "run", gone=[1, 2])
    assert read_rounds(tmp_path / "run") == []


def test_a_device_that_was_started_again_gets_its_workers_back(tmp_path):
    """Not while Flower still takes the old node for connected."""

    def script(grid, rounds):
        done = len(read_rounds(tmp_path / "run"))
        if done == 2 and 555 not in grid._contexts:
            grid.restart(1, 3, node=555)
        if done == 4:
            grid.gone.add(101)

    grid, done = restless(tmp_path / "run", script, num_rounds=8)
    assert (grid.asked[101], grid.asked[555]) == (4, 4)
    assert [r["received"] for r in done.rounds] == [15] * 8 and done.dropped == [{}] * 8
    assert done.sha256 == federate(tmp_path / "quiet", nodes=3, num_rounds=8).sha256


def test_a_node_that_is_gone_is_not_waited_for(tmp_path):
    def script(grid, rounds):
        grid.gone = {101} if len(read_rounds(tmp_path / "run")) in (2, 3) else set()

    _, done = restless(tmp_path / "run", script, round_timeout=60.0)
    assert done.dropped == [{}, {}, {"no-node": 5}, {"no-node": 5}, {}, {}]


def test_a_moment_without_any_node_is_waited_out(tmp_path):
    def script(grid, rounds):
        if len(read_rounds(tmp_path / "run")) == 2:
            script.looks += 1
            grid.gone = {100, 101, 102} if script.looks < 9 else set()

    script.looks = 0
    _, done = restless(tmp_path / "run", script, round_timeout=30.0)
    assert done.dropped == [{}] * 6 and script.looks == 9


def test_a_run_goes_on_with_nodes_that_are_slow_to_connect(tmp_path):
    """The bindings in a checkpoint are of nodes that are no longer there."""
    config = config_for(tmp_path / "run", {"num-rounds": 3, "node-timeout": 20.0})
    run(InProcessGrid(client_app, 3, config), config)

    config |= {"num-rounds": 6, "resume": str(tmp_path / "run")}
    grid, looks = InProcessGrid(client_app, 3, config), iter(range(1000))
    grid._contexts = {node + 50: context for node, context in grid._contexts.items()}
    grid.get_node_ids = lambda: list(grid._contexts) if next(looks) > 5 else []
    run(grid, config)
    assert [r["dropped"] for r in read_rounds(tmp_path / "run")] == [{}] * 6


def test_late_replies_are_counted_and_change_nothing(tmp_path):
    def script(grid, rounds):
        done = len(read_rounds(tmp_path / "run"))
        grid.deliver()
        grid.late = {2} if done in (1, 3) else set()

    _, done = restless(tmp_path / "run", script)
    assert done.dropped == [{}, {"no-reply": 5}, {}, {"no-reply": 5}, {}, {}]
    assert [r.get("late", 0) for r in done.rounds] == [0, 0, 1, 0, 1, 0]

    def absent(request, reply):
        train = request.metadata.message_type == "train"
        return [] if train and request.content["config"]["round"] in (2, 4) else [reply]

    quiet = federate(tmp_path / "quiet", nodes=3, tamper={2: absent}, round_timeout=0.02)
    assert done.sha256 == quiet.sha256


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("case", ["sign-mv", "sign-fd, alg1", "median"])
def test_the_servers_memory_stays_below_its_formula(case):
    """One more [n, N] of floats, 80 MB, would be too much for any of them."""
    given = [case, "200", "100000"]
    command = [sys.executable, "-m", "benchmarks.memory", "--one", *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < formula(case, 200, 100_000)
