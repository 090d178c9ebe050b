"""A SuperNode that looks sooner, comes back at once, and forks the process of a message."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import zipfile
from pathlib import Path

import httpx
import pytest
from flwr.cli.build import build_fab_from_disk
from flwr.cli.install import install_from_fab
from flwr.supercore.constant import OBJECT_PUSH_SESSION_TTL_SECONDS, TaskType
from flwr.supercore.inflatable import inflatable_utils as objects
from flwr.supercore.superexec import run_superexec
from flwr.supercore.superexec.executor import ExecutionSpec
from flwr.supernode import fleet_http_connection, start_client_internal

from signfed.app.node import supernode
from signfed.app.node.pace import BUSY, LEAST, Pace
from signfed.app.node.superexec import ForkingExecutor, once
from signfed.app.node.supernode import BrokenOff, Fleet, Pauses
from tests.loopback import ROOT
from tests.waiting import GUARD


class Clock:
    """Time that passes in pauses alone."""

    def __init__(self):
        self.now, self.pauses = 0.0, []

    def wait(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


def test_a_node_at_rest_looks_as_seldom_as_flowers(clock):
    pace = Pace(clock=lambda: clock.now, wait=clock.wait)
    for _ in range(5):
        pace.sleep(3)
    assert clock.pauses == [3] * 5


def test_a_node_in_a_run_is_late_by_a_share_of_the_round_at_most(clock):
    pace = Pace(clock=lambda: clock.now, wait=clock.wait)
    pace.worked()
    for _ in range(200):
        since = clock.now
        pace.sleep(3)
        assert clock.pauses[-1] == min(3, max(LEAST, since / 8))
    assert clock.pauses[-1] == 3 and clock.pauses == sorted(clock.pauses)
    assert sum(now <= 10 for now in map(sum, prefixes(clock.pauses))) < 25  # looks in ten seconds


def prefixes(values):
    return (values[: i + 1] for i in range(len(values)))


def test_waiting_for_an_answer_is_work(clock):
    pauses = Pauses(clock=lambda: clock.now, wait=clock.wait)
    pauses.sleep(0.5)
    pauses.sleep(3)
    assert clock.pauses == [BUSY, LEAST]


@pytest.mark.parametrize("pause", [0.5, 3])
def test_a_node_whose_superexec_ended_begins_anew(clock, pause):
    """It would be connected, and every round would wait its deadline for it."""
    pauses = Pauses(clock=lambda: clock.now, wait=clock.wait)
    pauses.executor = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    pauses.sleep(pause)
    pauses.executor.kill()
    pauses.executor.wait()
    pauses.executor.stdin.close()
    with pytest.raises(BrokenOff, match="the SuperExec ended with -9"):
        pauses.sleep(pause)


def test_a_system_without_room_for_a_process_costs_one_message(monkeypatch):
    def full():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", full)
    spec = ExecutionSpec(
        task_type=TaskType.CLIENT_APP, runtime_api_address="127.0.0.1:1", token="t", insecure=True,
        root_certificates_path=None, runtime_dependency_install=False, parent_pid=os.getpid(),
        suppress_output=False, task_id=7,
    )  # fmt: skip
    launched = ForkingExecutor(Pace()).launch(spec)
    assert launched.status == "failed" and "Resource temporarily" in launched.message


def refusal(code):
    request = httpx.Request("POST", "http://127.0.0.1/")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(code))


class SuperLink:
    """Flower's client, and how the SuperLink answers it."""

    online, registered = True, True

    def ActivateNode(self, request):
        if self.online or not self.registered:
            raise refusal(412)
        return "welcome"

    def DeactivateNode(self, request):
        if not self.registered:
            raise refusal(401)
        assert request.node_id == Fleet.node_id
        self.online = False

    def _unary_unary(self, code=200, path="", timeout=None):
        if code != 200:
            raise refusal(code)
        return timeout or "answer"


@pytest.fixture
def link(monkeypatch):
    monkeypatch.setattr(Fleet, "node_id", 2**63 + 5)
    monkeypatch.setattr(Fleet, "unauthorized", False)
    return type("Client", (Fleet, SuperLink), {})()


def test_a_node_whose_process_died_comes_back_at_once(link):
    assert link.ActivateNode("its key") == "welcome"


def test_a_stranger_is_refused_as_before(link, monkeypatch):
    monkeypatch.setattr(SuperLink, "registered", False)
    with pytest.raises(httpx.HTTPStatusError) as refused:
        link.ActivateNode("a key")
    assert refused.value.response.status_code == 412
    monkeypatch.setattr(Fleet, "node_id", 0)
    with pytest.raises(httpx.HTTPStatusError):
        link.ActivateNode("a key")


def test_a_signature_that_is_refused_is_remembered(link):
    assert link._unary_unary() == "answer" and not Fleet.unauthorized
    with pytest.raises(httpx.HTTPStatusError):
        link._unary_unary(code=503)
    assert not Fleet.unauthorized
    with pytest.raises(httpx.HTTPStatusError):
        link._unary_unary(code=401)
    assert Fleet.unauthorized


def test_an_object_may_take_longer_to_be_sent_than_an_answer_to_come(link):
    """Flower's client gives TLS 30 s to write all of an object, and begins anew after them."""
    given = link._unary_unary(path="/v1/fleet/push-object")
    assert (given.read, given.connect, given.write) == (30, 30, OBJECT_PUSH_SESSION_TTL_SECONDS)
    assert link._unary_unary(path="/v1/fleet/pull-messages") == "answer"


def test_flower_cuts_arrays_as_it_is_told():
    """AT_ONCE pieces in PATIENCE seconds: 280 kbit/s."""
    read = "from flwr.app.message import array; print(array.FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE)"
    said = subprocess.run(
        [sys.executable, "-c", read], env=os.environ | supernode.PIECE, stdout=subprocess.PIPE
    )
    assert int(said.stdout) == 2**20


@pytest.fixture
def adapted(monkeypatch):
    """Flower with its changes, and what would have ended the process."""
    ended = []
    monkeypatch.setattr(fleet_http_connection, "flwr_exit", lambda *given: ended.append(given))
    client, clock = fleet_http_connection.FleetHttpClient, start_client_internal.time
    monkeypatch.setattr(fleet_http_connection, "FleetHttpClient", client)
    monkeypatch.setattr(start_client_internal, "time", clock)
    changed = ((start_client_internal, "_push_messages"), (start_client_internal, "pull_objects"),
               (objects, "get_num_workers"))  # fmt: skip
    for module, name in changed:
        monkeypatch.setattr(module, name, getattr(module, name))
    supernode.adapt()
    return ended


@pytest.mark.parametrize("why", [
    "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol", "",
    "_ssl.c:989: The handshake operation timed out",
])  # fmt: skip
def test_a_link_that_breaks_in_a_handshake_is_tried_again(adapted, why):
    with pytest.raises(BrokenOff):
        fleet_http_connection.flwr_exit(305, f"Failed to initialize the connection.\n{why}")
    assert adapted == []


@pytest.mark.parametrize("why", [
    "[code: 2004] Failed to activate SuperNode.",
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in chain",
    "Client error '401 Unauthorized' for url 'https://fl.example.org:8000/v1/fleet/activate-node'",
])  # fmt: skip
def test_who_is_refused_ends_as_in_flower(adapted, why):
    with pytest.raises(SystemExit):
        fleet_http_connection.flwr_exit(305, why)
    assert adapted == [(305, why)]


@pytest.fixture
def slow_link(monkeypatch, clock):
    monkeypatch.setattr(start_client_internal, "_push_messages", clock.wait)


def test_sending_an_answer_is_work_however_long_it_takes(slow_link, adapted, clock):
    """After a slow link's upload the next message is looked for as soon as after a fast one's."""
    pauses = start_client_internal.time
    pauses._clock, pauses._wait = (lambda: clock.now), clock.wait
    pauses.sleep(0.5)
    start_client_internal._push_messages(20)
    pauses.sleep(3)
    assert clock.pauses == [BUSY, 20, LEAST]


def test_the_objects_of_a_message_travel_together(adapted):
    """Each waits until all six have been asked for: two at a time, as in Flower, none would end."""
    names, together = [f"object {i}" for i in range(6)], threading.Barrier(6, timeout=GUARD)

    def carry(name, content=b""):
        together.wait()
        return content

    assert set(start_client_internal.pull_objects(names, pull_object_fn=carry)) == set(names)
    pairs = dict.fromkeys(names, b"what it is").items()
    start_client_internal.push_object_contents_from_iterable(pairs, push_object_fn=carry)


def test_an_app_that_is_there_is_not_unpacked_again(tmp_path, monkeypatch):
    monkeypatch.setenv("FLWR_HOME", str(tmp_path))
    fab, unpacked = build_fab_from_disk(ROOT / "benchmarks" / "empty_round"), []

    def flowers(content, **given):
        unpacked.append(len(content))
        return install_from_fab(content, **given)

    install = once(flowers)
    first = install(fab, skip_prompt=True)
    assert install(fab, skip_prompt=True) == first and (first / "empty_round" / "app.py").exists()
    assert first == install_from_fab(fab, skip_prompt=True) and unpacked == [len(fab)]
    with pytest.raises(zipfile.BadZipFile):  # another app is Flower's to judge, as before
        install(fab[:-100], skip_prompt=True)


def test_an_app_of_which_half_was_written_is_not_there(tmp_path, monkeypatch):
    """Flower would leave it so for ever: each message of the run would fail."""
    monkeypatch.setenv("FLWR_HOME", str(tmp_path))
    fab, copy = build_fab_from_disk(ROOT / "benchmarks" / "empty_round"), shutil.copytree

    def full(*arguments, **given):
        copy(*arguments, **given)
        raise OSError(28, "No space left on device")

    install = once(install_from_fab)
    with monkeypatch.context() as disk, pytest.raises(OSError, match="No space"):
        disk.setattr(shutil, "copytree", full)
        install(fab, skip_prompt=True)
    assert list((tmp_path / "apps").iterdir()) == []
    whole = install(fab, skip_prompt=True)
    assert (whole / "pyproject.toml").exists() and whole.parent == tmp_path / "apps"


def test_an_app_is_on_the_disk_before_it_is_there(tmp_path, monkeypatch):
    """After a loss of power it would be there for ever, with empty files."""
    monkeypatch.setenv("FLWR_HOME", str(tmp_path))
    written = []

    def sync():
        (half,) = (tmp_path / "apps").iterdir()
        written.extend(file for file in half.rglob("*.py"))

    monkeypatch.setattr(os, "sync", sync)
    whole = once(install_from_fab)(
        build_fab_from_disk(ROOT / "benchmarks" / "empty_round"), skip_prompt=True
    )
    assert written and {f.name for f in written} == {f.name for f in whole.rglob("*.py")}


@pytest.mark.parametrize("module", [start_client_internal, run_superexec])
def test_flower_takes_nothing_but_pauses_from_its_clock(module):
    """Our pauses stand in its place, and have no other method."""
    source = Path(module.__file__).read_text()
    assert set(re.findall(r"\btime\.(\w+)\(", source)) == {"sleep"}
    for name in ("ActivateNode", "DeactivateNode", "_unary_unary"):
        assert callable(getattr(fleet_http_connection.FleetHttpClient, name))


FORKS = """
    import os, sys
    from flwr.supercore.constant import TaskType
    from flwr.supercore.superexec.executor import ExecutionSpec
    from flwr.supernode.cli import flwr_clientapp
    import flwr.supernode.cli.flwr_clientapp as program
    from signfed.app.node import superexec
    from signfed.app.node.pace import Pace

    def say(*words):  # in one write: two processes have one pipe
        os.write(1, (" ".join(map(str, words)) + "\\n").encode())

    def answered():
        say("pid", os.getpid(), "argv", sys.argv)
        say("ours", [m for m in sys.modules if m.partition(".")[0] == "signfed"])
        raise SystemExit({code})

    sys.modules["flwr.supernode.cli.flwr_clientapp"].flwr_clientapp = answered
    executor = superexec.ForkingExecutor(Pace())
    spec = ExecutionSpec(
        task_type=TaskType.CLIENT_APP, runtime_api_address="127.0.0.1:1", token="t", insecure=True,
        root_certificates_path=None, runtime_dependency_install=False, parent_pid=os.getpid(),
        suppress_output=False, task_id=7,
    )
    say(executor.launch(spec).status, "parent", os.getpid())
    say("ended with", os.waitstatus_to_exitcode(os.wait()[1]))
    executor.reconcile()
"""


@pytest.mark.parametrize("code", [0, 3])
def test_a_message_gets_a_fork_without_our_modules(code):
    """The app that the server sent may be another version of signfed: it is imported anew."""
    program = textwrap.dedent(FORKS).replace("{code}", str(code))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ)
    )
    assert f"ended with {code}" in done.stdout, done.stdout + done.stderr
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert lines["ours"] == "[]"
    assert (
        "'flwr-clientapp', '--runtime-api-address', '127.0.0.1:1', '--token', 't'" in lines["pid"]
    )
    assert lines["pid"].split()[0] != lines["accepted"].split()[-1]
