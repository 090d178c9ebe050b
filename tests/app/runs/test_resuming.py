"""What may change between two attempts of one run, and what it goes on after."""

from __future__ import annotations

import pytest

from signfed.app.config.run_config import parse
from signfed.app.errors import ConfigError
from signfed.app.runs.folder import set_status
from signfed.app.runs.resuming import resumed
from tests.federation import in_local

TWO = {"task": "quadratic", "num-rounds": 2, "strategy": "mean", "device": "cpu"}
# Where a run is carried out, how long it waits, what it shows: all that changes no round.
FREE = {
    "num-rounds": 7, "evaluate-every": 1, "checkpoint-every": 1, "stop-when": "stale=3",
    "round-timeout": 7.0, "node-timeout": 7.0, "data-dir": "elsewhere", "download": True,
    "device": "auto", "roster": "nodes",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two rounds that was broken off after its last."""
    path = tmp_path_factory.mktemp("run")
    in_local(TWO | {"out-dir": str(path)})
    set_status(path, "interrupted")
    return path


def goes_on_after(path, **changed):
    given = TWO | {"num-rounds": 3, "resume": str(path)}
    given |= {key.replace("_", "-"): value for key, value in changed.items()}
    found = resumed(parse(given), given)
    return found and found.server_round


@pytest.mark.parametrize("key", FREE)
def test_what_changes_no_round_may_change(key, run):
    assert goes_on_after(run, **{key: FREE[key]}) == 2


@pytest.mark.parametrize("status", ["running", "failed", "interrupted"])
def test_fewer_rounds_than_are_done_cannot_be_asked_for(status, run):
    """Its model would be that of more rounds."""
    set_status(run, status)
    assert goes_on_after(run, num_rounds=2) == 2  # only to be ended
    with pytest.raises(ConfigError, match=r"round 2 of 1 is done, .* expected num-rounds above 2"):
        goes_on_after(run, num_rounds=1)


def test_the_run_itself_may_be_named_as_where_it_goes(run):
    for place in (run, run / "checkpoints" / "round-000002"):
        assert goes_on_after(place, out_dir=str(run)) == 2
    with pytest.raises(ConfigError, match="out-dir: expected none beside resume"):
        goes_on_after(run, out_dir=str(run / "other"))
