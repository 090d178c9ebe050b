"""When a state is copied and written, and what an interruption at any moment leaves: by hand."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaits
from types import SimpleNamespace

import pytest
import torch

from signfed.app.runs import checkpoint, saving
from signfed.app.runs.checkpoint import list_checkpoints
from signfed.app.runs.folder import RunFolder, read_rounds, read_summary
from signfed.app.runs.saving import Saver
from tests.app.runs.test_folder import record
from tests.waiting import GUARD


@pytest.fixture
def saver(tmp_path):
    """Of a run of nine rounds, with a checkpoint after 4 and 8; it has taken 1,000 seconds."""
    return Saver(RunFolder(tmp_path, {}, 1, done=0, seconds=1000.0), {"lr": 0.5}, 4, 9)


@pytest.fixture
def elsewhere():
    """Runs a function in another thread, as Flower does with what ends a run."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


def state(value=1.0):
    return lambda: {"x": torch.tensor([value])}


def written(path):
    """Value of x by round, as the checkpoints have it."""
    found = [checkpoint.read(place) for place in list_checkpoints(path)]
    return {each.server_round: float(each.state["x"]) for each in found}


def test_copies_take_two_percent_of_the_time(tmp_path, monkeypatch):
    """One takes an eighth of a second; so 6.25 seconds are between two. A round takes one."""
    clock = SimpleNamespace(now=0.0, spent=0.0)
    clock.monotonic, clock.thread_time = lambda: clock.now, lambda: clock.spent
    monkeypatch.setattr(saving, "time", clock)
    saver, copied = Saver(RunFolder(tmp_path, {}, 1), {}, 0, 99), []

    def copy():
        copied.append(len(read_rounds(tmp_path)))
        clock.spent += 0.125
        return {}

    for server_round in range(1, 17):
        saver.after_round(record(server_round), copy)
        clock.now += 1.0
    assert copied == [1, 8, 15]


def test_what_is_kept_is_the_state_of_its_round(saver, tmp_path):
    """Rules count on in their own tensors."""
    counts = torch.tensor([1.0])
    saver.after_round(record(1), lambda: {"x": counts})
    counts += 1
    saver.interrupt()
    assert written(tmp_path) == {1: 1.0}
    found = checkpoint.read(list_checkpoints(tmp_path)[0])
    assert found.config == {"lr": 0.5} and found.seconds >= 1000.0
    assert read_summary(tmp_path)["status"] == "interrupted"


def test_a_copy_from_before_a_checkpoint_is_not_written(saver, tmp_path):
    for server_round in (3, 4):
        saver.after_round(record(server_round), state(server_round))
    saver.interrupt()
    assert written(tmp_path) == {4: 4.0}


def test_no_state_reaches_the_disk_before_the_lines_of_its_rounds(saver, monkeypatch):
    """Where the power fails between the two, there are lines too many, and never too few."""
    done, real = [], checkpoint.write
    monkeypatch.setattr(RunFolder, "flush", lambda self: done.append("lines"))
    monkeypatch.setattr(checkpoint, "write", lambda *of: done.append("state") or real(*of))
    saver.after_round(record(4), state())
    assert done == ["lines", "state"]
    saver.after_round(record(5), state())
    saver.interrupt()
    assert done == ["lines", "state"] * 2


def test_an_interruption_waits_for_a_round_that_is_being_written(
    saver, elsewhere, tmp_path, monkeypatch
):
    monkeypatch.setattr(saving, "PATIENCE", GUARD)
    asked = []

    def meanwhile():
        asked.append(elsewhere(saver.interrupt))
        with pytest.raises(StillWaits):
            asked[0].result(0.2)
        return {"x": torch.tensor([4.0])}

    saver.after_round(record(4), meanwhile)
    asked[0].result(GUARD)
    assert written(tmp_path) == {4: 4.0}
    assert read_summary(tmp_path)["status"] == "interrupted"


def test_an_interruption_does_not_wait_for_a_disk_that_hangs(
    saver, elsewhere, tmp_path, monkeypatch
):
    monkeypatch.setattr(saving, "PATIENCE", 0.01)
    saver.after_round(record(3), state(3.0))

    def hangs():
        elsewhere(saver.interrupt).result(GUARD)
        assert written(tmp_path) == {3: 3.0}
        assert read_summary(tmp_path)["status"] == "interrupted"
        return {"x": torch.tensor([4.0])}

    saver.after_round(record(4), hangs)


def test_a_disk_that_is_full_names_the_last_good_checkpoint(saver, tmp_path, monkeypatch):
    real = checkpoint.write

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "write", full)
    with pytest.raises(OSError, match="after round 4: No space left on device; there is none yet"):
        saver.after_round(record(4), state())
    monkeypatch.setattr(checkpoint, "write", real)
    saver.after_round(record(8), state())
    saver.after_round(record(9), state())
    monkeypatch.setattr(checkpoint, "write", full)
    with pytest.raises(OSError, match=f"is whole: {tmp_path}/checkpoints/round-000009") as raised:
        saver.after_round(record(10), state(), last=True)
    assert raised.value.errno == errno.ENOSPC
