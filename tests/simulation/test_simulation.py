"""Faults by the thousand: every seed ends as it should, and a check that is removed is missed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.simulation.__main__ import failure
from tests.simulation.broken import VARIANTS
from tests.simulation.disk import DISK, Disk
from tests.simulation.files import Os, SimPath
from tests.simulation.found import FOUND, FOUND_IN_PUBLIC
from tests.simulation.scenario import KINDS, Fault, Scenario, drawn
from tests.simulation.seeds import Tally, block, many
from tests.simulation.shrink import shrunk
from tests.simulation.simulate import simulate, simulated

SEEDS = int(os.environ.get("SIGNFED_SEEDS", "2000"))
BLOCKS, LEAST = 40, 10  # parts, and seeds of one: among fewer, half need not finish
PLAIN = {
    "task": "quadratic", "device": "cpu", "lr": 0.05, "seed": 3, "num-workers": 4,
    "num-rounds": 9, "strategy": "sign-mv", "num-byzantine": 0, "assumed-byzantine": 0,
    "evaluate-every": 3, "checkpoint-every": 2, "quorum": 0.5, "round-timeout": 10.0,
    "node-timeout": 5.0,
}  # fmt: skip


@pytest.mark.parametrize("part", range(BLOCKS))
def test_no_seed_finds_a_fault(part):
    size = SEEDS // BLOCKS
    assert size >= LEAST, f"SIGNFED_SEEDS: expected at least {LEAST * BLOCKS}, got {SEEDS}"
    _, rounds, failed, counts = block(part * size, (part + 1) * size)
    assert failed == [], f"python -m tests.simulation --seed {failed[0][0]} --shrink"
    assert rounds >= size and counts["end: finished"] >= size / 2


def test_seeds_go_on_where_they_were(tmp_path):
    parts, whole = tmp_path / "parts.json", tmp_path / "whole.json"
    for number in (3, 8):
        assert many(70, number, 1, 0.0, parts) == 0
    assert many(70, 8, 1, 0.0, whole) == 0
    kept = [replace(Tally.kept(70, file), seconds=0.0) for file in (parts, whole)]
    assert kept[0] == kept[1] and kept[0].seeds == 8 and kept[0].rounds > 8
    with pytest.raises(SystemExit, match="has seeds from 70"):
        many(0, 8, 1, 0.0, whole)


def test_the_command_runs_seeds_in_several_processes(tmp_path):
    """As it is typed: processes that are started anew import nothing from a `__main__`."""
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "102", "--first", "70"]
    out = tmp_path / "out.json"
    done = subprocess.run([*command, "--jobs", "2", "--out", str(out)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    _, rounds, failed, counts = block(70, 172)
    kept = Tally.kept(70, out)
    assert (kept.seeds, kept.rounds, kept.failed) == (102, rounds, failed)
    assert kept.counts == counts and json.loads(done.stdout)["rounds"] == rounds


def test_all_faults_are_drawn():
    assert {f.kind for seed in range(200) for f in drawn(seed).faults} == set(KINDS)


@pytest.mark.parametrize(("variant", "seed"), [*FOUND.items(), *FOUND_IN_PUBLIC.items()])
def test_a_check_that_is_removed_is_found(variant, seed):
    """Each by its invariant; the seed is the first that does, of `--broken`."""
    name, broken = VARIANTS[variant]
    with simulated():
        with broken():
            assert failure(drawn(seed)) == name
        assert failure(drawn(seed)) == ""


# What the simulator has found, each by its shortest schedule: a node that is to be asked again.
LOST_QUESTIONS = {
    "a question that is rejected counts as asked": Fault("request-rejected", 0, 1, 1.0, 0.9),
    "an answer that never comes is waited for": Fault("reply-without-objects", 0, 1, 1.0, 0.9),
}


@pytest.mark.parametrize("variant", LOST_QUESTIONS)
def test_a_question_that_comes_to_nothing_is_asked_again(variant):
    """Of seed 147, before it was mended; Flower 1.43 leaves a reply out whose objects are lost."""
    config = PLAIN | {"num-workers": 4, "num-rounds": 9, "quorum": 0.2}
    scenario = Scenario(147, config, 2, (LOST_QUESTIONS[variant],))
    name, broken = VARIANTS[variant]
    with simulated():
        assert failure(scenario) == ""
        with broken():
            assert failure(scenario) == name == "wait"


def test_a_seed_comes_back_byte_for_byte():
    with simulated():
        once, again, other = (simulate(drawn(seed)) for seed in (17, 17, 18))
    assert once == again and once.trace != other.trace


def test_a_failing_seed_is_shrunk_to_the_faults_that_matter():
    """A doubled request, and a lost one that keeps the round open until it comes again."""
    variant = "a doubled request advances what workers remember"
    _, broken = VARIANTS[variant]
    with simulated(), broken():
        small = shrunk(drawn(FOUND[variant]), failure)
        assert failure(small) == "node"
    assert sorted(f.kind for f in small.faults) == ["request-lost", "request-twice"]


def test_a_long_run_among_nodes_that_do_all_of_it_is_the_models_to_the_last_bit():
    """Of five nodes one is replaced, one misses every second round, one is late every fifth."""
    config = PLAIN | {
        "strategy": "sign-mv", "num-workers": 15, "num-byzantine": 3, "assumed-byzantine": 3,
        "attack": "sign-inversion", "num-rounds": 100, "evaluate-every": 100, "quorum": 0.3,
        "checkpoint-every": 0, "round-timeout": 10.0, "momentum": 0.0, "lr": 0.02,
        "worker-momentum": 0.0,
    }  # fmt: skip
    faults = [Fault("node-dies-and-is-another", 60, 1, 50.0)]
    faults += [Fault("reply-lost", r, 2) for r in range(2, 101, 2)]
    faults += [Fault("reply-late", r, 4, 10.01) for r in range(5, 101, 5)]
    faults += [Fault("node-dies-and-forgets", r, 3, 30.0) for r in (40, 80)]
    with simulated():
        storm = simulate(Scenario(1, config, 5, tuple(faults)))
        quiet = simulate(Scenario(1, config, 5, ()))
    assert (storm.end, storm.rounds) == (quiet.end, quiet.rounds) == ("finished", 100)
    assert storm.faults["reply-lost"] == 50 and storm.faults["reply-late"] == 20
    assert storm.trace != quiet.trace


def test_steps_that_are_kept_for_good_are_found_in_a_long_run():
    """26 packed steps weigh more than a model; no drawn run is as long."""
    config = PLAIN | {
        "strategy": "sign-mv", "num-rounds": 40, "checkpoint-every": 0, "momentum": 0.0,
    }  # fmt: skip
    _, broken = VARIANTS["steps are kept for good"]
    with simulated():
        assert failure(Scenario(1, config, 1, ())) == ""
        with broken():
            assert failure(Scenario(1, config, 1, ())) == "memory"


def test_what_a_dead_process_kept_in_its_buffers_is_never_written():
    disk = DISK.now = Disk()
    with simulated():
        SimPath("/a").mkdir(parents=True)
        for ended in ("killed", "over"):
            stream = SimPath("/a/log").open("a", encoding="utf-8")
            stream.write("lost")
            if ended == "killed":
                disk.restart(power_lost=False, entries=0.0, share=0.0)
            else:
                disk.process += 1
            stream.close()
        assert SimPath("/a/log").read_text() == ""


def test_a_disk_loses_what_was_not_flushed():
    """The stand-in for a disk is no better than a disk."""
    disk = DISK.now = Disk()
    with simulated():
        SimPath("/a").mkdir(parents=True)
        whole, torn = SimPath("/a/whole"), SimPath("/a/torn")
        with whole.open("w", encoding="utf-8") as stream:
            stream.write("kept")
            stream.flush()
            Os.fsync(stream.fileno())
        torn.write_text("lost or cut", encoding="utf-8")
        disk.restart(power_lost=True, entries=0.99, share=0.5)
        assert whole.read_text() == "kept"
        assert torn.read_text() == "lost o"
        torn.write_text("never listed", encoding="utf-8")
        disk.restart(power_lost=True, entries=0.0, share=0.5)
        assert torn.read_text() == "lost o"
