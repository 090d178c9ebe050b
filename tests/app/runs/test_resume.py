"""A run that was broken off goes on from its last checkpoint to the same bits, in either engine."""

from __future__ import annotations

import errno
import json
import math
import re
import resource
import shutil
import weakref
from pathlib import Path

import pytest
import torch

from signfed.app.client_app import app as client_app
from signfed.app.config.run_config import ConfigError
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import execute
from signfed.app.runs import checkpoint, saving
from signfed.app.runs.checkpoint import Checkpoint, run_of
from signfed.app.runs.folder import RunFolder, read_rounds, read_summary, reopen
from signfed.app.runs.recorder import RunRecorder
from signfed.app.server_app import run
from signfed.strategies.pre_aggregations import PRE_AGGREGATIONS
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.server.federation import DivergedError
from tests.federation import config_for, federate, in_local, outcome
from tests.grid import InProcessGrid
from tests.strategies.server.drop_in import app

ROUNDS, LAST = 9, 4  # checkpoints after 4, 8 and 9, of which the last two are kept
BASE = {"num-rounds": ROUNDS, "checkpoint-every": LAST, "num-byzantine": 3, "batch-size": 8}

# What has a state of its own, and every rule besides.
CASES = (
    [{"strategy": name} for name in STRATEGIES]
    + [{"strategy": "centered-clipping", "pre-aggregation": name} for name in PRE_AGGREGATIONS]
    + [
        {"strategy": "sign-fd", "sign-fd.estimator": "pooled"},
        {"strategy": "sign-fd", "sign-fd.estimator": "alg1", "sign-fd.initial-rounds": 6},
        {
            "strategy": "sign-fd",
            "sign-fd.estimator": "eq17",
            "sign-fd.initial-rounds": 2,
            "sign-fd.forget": 0.9,
        },
        {"strategy": "sign-mv", "sign-mv.tie": "prev", "num-workers": 14},
        {"strategy": "sign-mv", "momentum": 0.9, "lr-schedule": "inverse-sqrt"},
        {"strategy": "sign-mv", "attack": "sleeper", "sleeper.rounds": 6},
        {"strategy": "sign-mv", "fraction-train": 0.4},
        {"strategy": "sign-mv", "local-steps": 2},
    ]
)


def in_flower(config):
    run(InProcessGrid(client_app, 2, config), config)


def config_of(path, **keys):
    return config_for(path, BASE | keys)


def broken_off(config, engine, after):
    """A run that ends with an exception after some rounds."""

    class Broken(RuntimeError):
        pass

    def bomb(record):
        if record["round"] == after:
            raise Broken

    if engine is in_local:
        with pytest.raises(Broken):
            execute(prepare(config), local_engine, on_round=bomb)
    else:
        grid = InProcessGrid(client_app, 2, config)
        real = grid.push_messages

        def push_messages(messages):
            messages = list(messages)
            if any(m.content["config"]["round"] == after + 1 for m in messages if m.content):
                raise Broken
            return real(messages)

        grid.push_messages = push_messages
        with pytest.raises(Broken):
            run(grid, config)


def resume(config, engine, place=None, **changed):
    path = Path(config["out-dir"])
    engine(config | changed | {"resume": str(place or path)})
    return outcome(path)


def lasting(record):
    """What must be the same in the record of a resumed run."""
    return {k: v for k, v in record.items() if k not in ("seconds", "downlink_bytes")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_a_run_that_goes_on_ends_with_the_same_bits(case, tmp_path):
    """Broken off after round 6 in one engine; goes on from round 4 in the other."""
    whole_config = config_of(tmp_path / "whole", **case)
    in_local(whole_config)
    whole = outcome(tmp_path / "whole")
    for name, first, then in (("a", in_local, in_flower), ("b", in_flower, in_local)):
        config = config_of(tmp_path / name, **case)
        broken_off(config, first, after=6)
        assert len(read_rounds(tmp_path / name)) == 6
        assert read_summary(tmp_path / name)["status"] == "failed"
        done = resume(config, then)
        assert done.sha256 == whole.sha256
        there = list(map(lasting, done.rounds))
        assert [r["round"] for r in there] == list(range(1, ROUNDS + 1))
        same = ("received", "dropped", "test_loss", "test_accuracy", "crossover", "accepted")
        for ours, theirs in zip(there, whole.rounds, strict=True):
            assert {k: ours.get(k) for k in same} == {k: theirs.get(k) for k in same}
        assert done.summary["rounds"] == ROUNDS and done.summary["status"] == "finished"


@pytest.mark.parametrize("strategy", ["sign-mv", "mean"])
def test_the_traffic_of_a_local_run_that_goes_on_is_that_of_a_whole_one(strategy, tmp_path):
    """The round after a resumption sends what the last step was, as if nothing had happened."""
    config = config_of(tmp_path / "whole", strategy=strategy)
    in_local(config)
    whole = [line["downlink_bytes"] for line in outcome(tmp_path / "whole").rounds]
    config = config_of(tmp_path / "run", strategy=strategy)
    broken_off(config, in_local, after=6)
    assert [line["downlink_bytes"] for line in resume(config, in_local).rounds] == whole
    assert len(set(whole)) == (2 if strategy == "sign-mv" else 1)


def test_the_last_of_a_million_rounds_is_the_last(tmp_path):
    for number in (999_999, 1_000_000, 150):
        (tmp_path / "checkpoints" / f"round-{number:06d}").mkdir(parents=True)
    names = [place.name for place in checkpoint.list_checkpoints(tmp_path)]
    assert names == ["round-000150", "round-999999", "round-1000000"]


def test_a_rule_that_forgets_its_state_would_be_noticed(tmp_path, monkeypatch):
    """The cases above are long enough to see it."""
    from signfed.strategies.sign_fd import SignFD

    config = config_of(tmp_path / "whole")
    in_local(config)
    config = config_of(tmp_path / "run")
    broken_off(config, in_local, after=6)
    monkeypatch.setattr(SignFD, "load_state_dict", lambda self, state: None)
    assert resume(config, in_local).sha256 != outcome(tmp_path / "whole").sha256


def test_a_run_without_a_checkpoint_starts_over(tmp_path):
    config = config_of(tmp_path / "run")
    broken_off(config, in_local, after=3)
    in_local(config_of(tmp_path / "whole"))
    done = resume(config, in_local)
    assert done.sha256 == outcome(tmp_path / "whole").sha256 and len(done.rounds) == ROUNDS


def test_a_finished_run_can_be_made_longer(tmp_path):
    config = config_of(tmp_path / "run")
    in_local(config)
    with pytest.raises(ConfigError, match=r"round 9 of 9 is done, .* expected num-rounds above 9"):
        resume(config, in_local)
    done = resume(config, in_local, **{"num-rounds": 14})
    longer = config_of(tmp_path / "longer", **{"num-rounds": 14})
    in_local(longer)
    assert done.sha256 == outcome(tmp_path / "longer").sha256 and len(done.rounds) == 14
    assert done.summary["seconds"] > sum(sum(r["seconds"].values()) for r in done.rounds[:9])


def test_workers_memories_are_kept_locally_and_lost_with_flowers_nodes(tmp_path, caplog):
    keys = {"strategy": "mean", "encoder": "top-k", "worker-momentum": 0.9, "attack": "none"}
    in_local(config_of(tmp_path / "whole", **keys))
    whole = outcome(tmp_path / "whole")
    config = config_of(tmp_path / "a", **keys)
    broken_off(config, in_local, after=6)
    assert resume(config, in_local).sha256 == whole.sha256 and "remember" not in caplog.text
    config = config_of(tmp_path / "b", **keys)
    broken_off(config, in_flower, after=6)
    assert resume(config, in_flower).summary["status"] == "finished"
    assert "what workers remember (momentum, errors) was lost" in caplog.text


@pytest.mark.parametrize("attack", ["poisoned-fl", "hybrid-sparse"])
def test_what_an_attack_keeps_is_a_memory_too(attack, tmp_path, caplog):
    keys = {"strategy": "mean", "attack": attack, "lr": 0.1}
    in_local(config_of(tmp_path / "whole", **keys))
    config = config_of(tmp_path / "a", **keys)
    broken_off(config, in_local, after=6)
    assert resume(config, in_local).sha256 == outcome(tmp_path / "whole").sha256
    assert "remember" not in caplog.text
    config = config_of(tmp_path / "b", **keys)
    broken_off(config, in_local, after=6)
    assert resume(config, in_flower).summary["status"] == "finished"
    assert "what workers remember" in caplog.text


@pytest.fixture
def broken(tmp_path):
    """A run with checkpoints after rounds 4 and 8, broken off after 8."""
    config = config_of(tmp_path / "run")
    broken_off(config, in_local, after=9)
    shutil.rmtree(tmp_path / "run/checkpoints/round-000009")
    in_local(config_of(tmp_path / "whole"))
    # two are kept; make the one after round 4 anew
    config4 = config_of(tmp_path / "four")
    broken_off(config4, in_local, after=6)
    shutil.copytree(
        tmp_path / "four/checkpoints/round-000004", tmp_path / "run/checkpoints/round-000004",
        dirs_exist_ok=True,
    )  # fmt: skip
    return config


def cut(file):
    file.write_bytes(file.read_bytes()[:-10])


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def another_format(file):
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 99}))


DAMAGE = {
    "cut off": ("state.safetensors", cut, "damaged or cut off"),
    "one bit": ("state.safetensors", flip, "damaged or cut off"),
    "empty": ("state.safetensors", lambda file: file.write_bytes(b""), "damaged or cut off"),
    "gone": ("state.safetensors", Path.unlink, "cannot be read .FileNotFoundError"),
    "facts cut off": ("checkpoint.json", cut, "cannot be read .JSONDecodeError"),
    "facts gone": ("checkpoint.json", Path.unlink, "cannot be read .FileNotFoundError"),
    "facts of nothing": ("checkpoint.json", lambda f: f.write_text("[]"), "cannot be read"),
    "another format": ("checkpoint.json", another_format, "is of format 99, this signfed reads 1"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_checkpoint_is_refused_by_name_and_the_one_before_offered(name, broken):
    file, damage, text = DAMAGE[name]
    places = checkpoint.list_checkpoints(Path(broken["out-dir"]))
    assert [place.name for place in places] == ["round-000004", "round-000008"]
    before = read_rounds(Path(broken["out-dir"]))
    damage(places[-1] / file)
    with pytest.raises(ConfigError) as refusal:
        resume(broken, in_local)
    said = str(refusal.value)
    assert str(places[-1] / file) in said and f"--resume {places[0]}" in said
    assert re.search(text, said)
    assert read_rounds(Path(broken["out-dir"])) == before  # nothing was started
    done = resume(broken, in_local, place=places[0])
    assert done.sha256 == outcome(Path(broken["out-dir"]).parent / "whole").sha256


def rounds_file(config, edit):
    file = Path(config["out-dir"]) / "rounds.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(edit(lines)))


@pytest.mark.parametrize(
    "edit, said",
    [
        (lambda lines: [lines[0][:40]], r"round 1 is not in its place; restore the file, or start"),
        (
            lambda lines: lines[:5],
            r"rounds 1 to 8 in .*run/rounds.jsonl, .*; round 6 is not in its place; restore the "
            r"file, go on from a checkpoint of round 5 or before, or start the run anew",
        ),
        (lambda lines: lines[:3] + lines[4:], "round 4 is not in its place"),
        (lambda lines: [*lines[:3], *lines[2:]], "round 4 is not in its place"),
        (lambda lines: ["[1]\n", *lines[1:]], r"rounds.jsonl: expected a JSON object of a round"),
    ],
    ids=["cut off", "short", "a gap", "twice", "no round"],
)
def test_a_damaged_rounds_file_is_refused_with_what_is_missing(edit, said, broken):
    rounds_file(broken, edit)
    with pytest.raises(ConfigError, match=said):
        resume(broken, in_local)


def test_half_a_line_after_the_checkpoint_is_no_damage(broken):
    """What a kill leaves."""
    rounds_file(broken, lambda lines: [*lines[:8], lines[8][:20]])
    done = resume(broken, in_local)
    assert done.sha256 == outcome(Path(broken["out-dir"]).parent / "whole").sha256


def test_a_resumption_that_is_killed_at_once_leaves_no_checkpoint_without_its_rounds(broken):
    path = Path(broken["out-dir"])
    place = checkpoint.list_checkpoints(path)[0]
    reopen(path, 4)
    assert checkpoint.list_checkpoints(path) == [place] and len(read_rounds(path)) == 4
    done = resume(broken, in_local)
    assert done.sha256 == outcome(path.parent / "whole").sha256


def test_with_no_checkpoint_before_it_the_refusal_says_so(broken):
    first, last = checkpoint.list_checkpoints(Path(broken["out-dir"]))
    shutil.rmtree(first)
    cut(last / "state.safetensors")
    with pytest.raises(ConfigError, match="there is none before it; start the run anew"):
        resume(broken, in_local)


def test_a_foreign_checkpoint_is_refused_with_what_differs(broken):
    with pytest.raises(ConfigError, match=r"another run: lr=0.001, not 0.5; free to change: check"):
        resume(broken, in_local, lr=0.5)
    with pytest.raises(ConfigError, match=r"seed=0, not 3"):
        resume(broken, in_local, seed=3)


def test_what_is_no_run_folder_is_refused(tmp_path):
    config = config_of(tmp_path / "run")
    with pytest.raises(ConfigError, match="expected a run folder or one of its checkpoints"):
        in_local(config | {"resume": str(tmp_path), "out-dir": ""})
    with pytest.raises(ConfigError, match="out-dir: expected none beside resume"):
        in_local(config | {"resume": str(tmp_path)})


def test_what_an_attack_knows_of_the_server_is_in_no_checkpoint(tmp_path):
    config = config_of(tmp_path / "run", attack="weight-aware")
    broken_off(config, in_local, after=6)
    with pytest.raises(ConfigError, match="goes by what the server found out in the last round"):
        resume(config, in_local)


def test_later_checkpoints_of_the_attempt_that_is_given_up_are_forgotten(broken):
    run_path = Path(broken["out-dir"])
    place = checkpoint.list_checkpoints(run_path)[0]
    resume(broken, in_local, place=place, **{"checkpoint-every": 0, "num-rounds": 7})
    names = [p.name for p in checkpoint.list_checkpoints(run_path)]
    assert names == ["round-000004", "round-000007"]


def test_a_full_disk_is_a_clear_error_and_costs_no_checkpoint(tmp_path):
    """From round 5 on the system refuses to write more than 20 kB: the model alone is 38 kB."""
    config = config_of(tmp_path / "run")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def narrow(record):
        if record["round"] == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))

    last = tmp_path / "run/checkpoints/round-000004"
    said = f"no checkpoint after round 8: File too large; the last one is whole: {last}"
    try:
        with pytest.raises(OSError, match=re.escape(said)):
            execute(prepare(config), local_engine, on_round=narrow)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.name for p in (tmp_path / "run/checkpoints").iterdir()] == ["round-000004"]
    in_local(config_of(tmp_path / "whole"))
    assert resume(config, in_local).sha256 == outcome(tmp_path / "whole").sha256


def test_half_a_checkpoint_is_none(tmp_path):
    """What a kill leaves while one is written: a draft beside it."""
    state = {"parameters": torch.arange(5.0)}
    first = checkpoint.write(tmp_path, Checkpoint(1, state, {}))
    draft = tmp_path / "checkpoints" / ".round-000002"
    draft.mkdir()
    (draft / "state.safetensors").write_bytes(b"half")
    assert checkpoint.list_checkpoints(tmp_path) == [first]
    second = checkpoint.write(tmp_path, Checkpoint(2, state, {"lr": 0.5}, seconds=7.5))
    assert not draft.exists()
    found = checkpoint.read(second)
    assert torch.equal(found.state["parameters"], state["parameters"])
    assert (found.server_round, dict(found.config), found.seconds) == (2, {"lr": 0.5}, 7.5)
    third = checkpoint.write(tmp_path, Checkpoint(3, state, {}))
    assert checkpoint.list_checkpoints(tmp_path) == [second, third]


def test_bindings_are_part_of_the_state(tmp_path):
    """Nobody gets the workers of a node that is there, even if he is heard first."""
    config = config_of(tmp_path / "run")
    broken_off(config, in_flower, after=6)
    state = checkpoint.read(checkpoint.find(tmp_path / "run")).state
    assert state["nodes"].tolist() == [100 + w % 2 for w in range(15)]
    grid = InProcessGrid(client_app, 3, config)  # nodes 100, 101, and a third, heard before them
    for node, partition in ((100, 0), (101, 1), (102, 0)):
        grid._contexts[node].node_config.update({"partition-id": partition, "num-partitions": 2})
    run(grid, config | {"resume": str(tmp_path / "run")})
    assert (
        outcome(tmp_path / "run").sha256
        == federate(
            tmp_path / "whole", nodes=2, num_rounds=ROUNDS, num_byzantine=3, batch_size=8
        ).sha256
    )
    assert "replica" in grid._contexts[100].state and "replica" not in grid._contexts[102].state


@pytest.mark.parametrize("engine", [in_local, in_flower])
@pytest.mark.parametrize("early", [{}, {"stop-when": "accuracy>=0.01", "evaluate-every": 2}])
def test_a_run_that_lacks_nothing_but_its_summary_is_ended(early, engine, tmp_path):
    """Killed between its last checkpoint and its summary."""
    config = config_of(tmp_path / "run", **early)
    in_local(config)
    whole, file = outcome(tmp_path / "run"), tmp_path / "run" / "summary.json"
    assert len(whole.rounds) == (2 if early else ROUNDS)
    for status in ("running", "interrupted", "failed"):
        file.write_text(json.dumps({"status": status, "rounds": len(whole.rounds)}))
        done = resume(config, engine)
        assert done.rounds == whole.rounds
        without = [{k: v for k, v in o.summary.items() if k != "seconds"} for o in (done, whole)]
        assert without[0] == without[1] and without[0]["status"] == "finished"
    with pytest.raises(ConfigError, match=r"nothing is left|ended the run after"):
        resume(config, engine)


def in_another_app(config):
    where = {"resume": config["resume"]} if "resume" in config else {"run_dir": config["out-dir"]}
    STRATEGIES["mean"]().start(app.grid(3), app.floats(), config["num-rounds"], **where)


@pytest.mark.parametrize("engine", [in_local, in_flower, in_another_app])
def test_a_checkpoint_does_not_stay_in_memory(engine, tmp_path, monkeypatch):
    """Once a run goes on, its own state is all there is of it."""
    config, real, held = config_of(tmp_path / "run"), (checkpoint.read, checkpoint.write), []
    engine(config)

    def read(place):
        found = real[0](place)
        found.state["of-nobody"] = torch.zeros(1)
        held.append(weakref.ref(found.state["of-nobody"]))
        return found

    def write(*of):
        held.append(held[0]())
        return real[1](*of)

    monkeypatch.setattr(checkpoint, "read", read)
    monkeypatch.setattr(checkpoint, "write", write)
    engine(config | {"resume": config["out-dir"], "num-rounds": ROUNDS + 2})
    assert held[1:] == [None]


def test_a_run_may_lie_in_a_folder_called_checkpoints():
    run = Path("checkpoints") / "run"
    assert run_of(run) == run and run_of(run / "checkpoints" / "round-000050") == run


@pytest.mark.parametrize("engine", [in_local, in_flower])
def test_an_error_costs_no_round_that_was_whole(tmp_path, monkeypatch, engine):
    """A copy of the state is kept after each round, where rounds are long beside it."""
    monkeypatch.setattr(saving, "SHARE", math.inf)
    config = config_of(tmp_path / "run", **{"checkpoint-every": 0})
    broken_off(config, engine, after=3)
    assert read_summary(tmp_path / "run")["status"] == "failed"
    assert checkpoint.read(checkpoint.find(tmp_path / "run")).server_round == 3


@pytest.mark.parametrize("ours", [True, False])
def test_a_full_disk_does_not_hide_that_a_run_diverged(ours, tmp_path, monkeypatch):
    """In signfed's own app and in another's; and both say why in the same words."""
    broken = DivergedError("no usable round: the model is not finite")

    def diverged(run):
        raise broken

    def end(path):
        if ours:
            execute(prepare(config_of(path)), diverged)
        recorder = RunRecorder(path, None)
        recorder.begin({}, 1, ROUNDS)
        recorder.end(None, broken)
        raise broken

    with pytest.raises(DivergedError):
        end(tmp_path / "room")
    summary = read_summary(tmp_path / "room")
    assert (summary["status"], summary["error"]) == ("diverged", str(broken))

    def full(self, *_, **facts):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RunFolder, "close", full)
    with pytest.raises(DivergedError):
        end(tmp_path / "full")


def test_what_cannot_be_kept_does_not_hide_why_a_run_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "SHARE", math.inf)

    def write(*_):
        raise MemoryError("of the copy")

    monkeypatch.setattr(checkpoint, "write", write)
    config = config_of(tmp_path / "run", **{"checkpoint-every": 0})
    broken_off(config, in_local, after=3)
    summary = read_summary(tmp_path / "run")
    assert summary["status"] == "failed" and "of the copy" not in summary["error"]
