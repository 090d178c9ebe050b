"""`federation up` starts what does not run, and knows what runs from what a crash left behind."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from signfed.app.errors import ConfigError
from signfed.app.federation import scripts, setup, trial
from signfed.app.flower import guard
from tests.waiting import GUARD, until

SLEEP = "import time; print('here', flush=True); time.sleep(600)"


@pytest.fixture
def home(tmp_path):
    """A FLWR_HOME; what has it in its environment is ended."""
    path = tmp_path / "flower"
    path.mkdir()
    yield path
    guard.end(str(path), quick=True)


def process(home, *marks):
    """A process of that home, which has these words in its command line."""
    started = subprocess.Popen(
        [sys.executable, "-c", SLEEP, *marks], env=os.environ | {"FLWR_HOME": str(home)},
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert started.stdout.readline()
    return started


@pytest.mark.parametrize("mark", [scripts.SUPERLINK, scripts.SUPERNODE])
def test_what_runs_is_left_alone(home, tmp_path, mark):
    running = process(home, "-m", mark)
    trial._start(tmp_path / "nothing.sh", home, tmp_path / "log")
    assert running.poll() is None and not (tmp_path / "log").exists()


def test_a_script_that_is_on_its_way_is_left_alone(home, tmp_path):
    waiting = process(home, str(tmp_path / "start-superlink.sh"))
    trial._start(tmp_path / "nothing.sh", home, tmp_path / "log")
    assert waiting.poll() is None and not (tmp_path / "log").exists()


def test_what_a_killed_superlink_left_is_no_superlink(home, tmp_path):
    """Its SuperExec and its app would wait for it for minutes, and nobody would start it."""
    left = [process(home, "flower-superexec"), process(home, "flwr-serverapp")]
    script = tmp_path / "start-it.sh"
    script.write_text("exec sleep 600\n")
    trial._start(script, home, tmp_path / "log")
    assert all(one.wait(GUARD) < 0 for one in left)
    (started,) = guard.of_home(str(home))
    until(lambda: started.cmdline()[:1] == ["sleep"], "the script")


def test_a_process_that_ends_while_it_is_looked_at_does_not_run(home):
    gone = process(home, scripts.SUPERLINK)
    known = psutil.Process(gone.pid)
    gone.kill(), gone.wait()
    assert not trial._leads(known)


def test_a_trial_of_another_number_of_nodes_is_refused_before_anything_starts(
    tmp_path, monkeypatch
):
    started = []
    monkeypatch.setattr(trial, "_start", lambda script, *_: started.append(script))
    setup.init(tmp_path / "server", ["localhost"], num_partitions=3)
    with pytest.raises(ConfigError, match=r"expected 3 nodes.*; got 2; choose another --dir"):
        trial.up(tmp_path, 2)
    assert not started


def test_a_superlink_may_have_a_connection_for_each_of_a_thousand_devices():
    program = """if True:
        import resource
        from signfed.app.federation import serve
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
        serve.open_many()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most), most
    """
    subprocess.run([sys.executable, "-c", program], check=True)
