"""The warm worker: the bits of a process of its own, and no worker that outlives its node.

This process stands for Flower's process of one message, a sleeping one for the node's SuperExec.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict

from signfed.app import client_app
from signfed.app.node import answers, frames, warm
from signfed.app.node.worker import Watch
from signfed.strategies.server.transport import wire
from tests import grid  # noqa: F401 - outside Flower, messages can be made only with it
from tests.waiting import GUARD

CONFIG = {"task": "quadratic", "num-workers": 2, "num-byzantine": 0, "worker-momentum": 0.5,
          "strategy": "sign-mv", "attack": "none", "device": "cpu"}  # fmt: skip
# In place of what a node answers, for workers that are there without PyTorch.
STAND_IN = """
import os, sys, time, types

def answer(message, context):
    order = message.content["config"]["order"]
    if order == "die":
        os._exit(1)
    if order == "fail":
        raise RuntimeError("no data")
    while order == "hang":
        time.sleep(1)
    from flwr.app import ConfigRecord, Message, RecordDict
    context.state["pid"] = ConfigRecord({"pid": os.getpid()})
    return Message(RecordDict({"said": ConfigRecord({"pid": os.getpid()})}), reply_to=message)

sys.modules["signfed.app.node.answers"] = module = types.ModuleType("answers")
module.answer = answer
"""


class Node:
    """A node, as far as its processes of a message see it."""

    def __init__(self, base):
        self.superexec = subprocess.Popen(["sleep", "1000"])
        self.place = base / f"signfed-{os.getuid()}"

    def sockets(self):
        return {path.name for path in self.place.glob("*-*")}

    def workers(self):
        """Living workers that this process has started."""
        return [p for p in psutil.Process().children() if "signfed.app.node.worker" in command(p)]

    def end(self):
        self.superexec.kill()
        self.superexec.wait()


def command(process):
    try:
        return process.cmdline()
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return []


def gone(*processes):
    _, left = psutil.wait_procs(processes, timeout=GUARD)
    assert not left
    return True


@pytest.fixture
def node(monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as base:  # a socket's path is short
        found = Node(Path(base))
        monkeypatch.setenv("XDG_RUNTIME_DIR", base)
        monkeypatch.setattr(sys, "argv", ["/bin/flwr-clientapp"])
        monkeypatch.setattr(os, "getppid", lambda: found.superexec.pid)
        yield found
        workers = found.workers()
        found.end()
        gone(*workers)
        assert not found.sockets()


@pytest.fixture
def quick(node, monkeypatch, tmp_path):
    """The same, with workers that obey orders."""
    (tmp_path / "sitecustomize.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    return node


def context(run_id=7, **node_config):
    config = {"partition-id": 0, "num-partitions": 1, **node_config}
    return Context(run_id, 5, config, RecordDict(), dict(CONFIG))


def request(server_round=1):
    x = answers._problem(answers._config_of(context()).workload).initial().numpy()
    model = ArrayRecord({"parameters": Array(x)})
    config = ConfigRecord({"version": 0, "keep": True, "encoder": "sign", "digest": ""})
    (message,) = wire.train([5], model, server_round, config, 200.0)
    message.metadata.__dict__["_message_id"] = f"message {server_round}"
    return message


def order(what="", ttl=200.0):
    config = RecordDict({"config": ConfigRecord({"order": what})})
    return Message(config, 5, wire.TRAIN, ttl=ttl)


def pid_of(reply):
    return reply.content["said"]["pid"]


def same(one, other):
    """Whether two records hold the same, to the last bit."""
    return frames.recorddict_to_proto(one) == frames.recorddict_to_proto(other)


def test_answers_and_state_have_the_bits_of_a_process_of_its_own(node):
    kept, alone = context(), context()
    for server_round in (1, 2):
        reply = warm.answer(request(server_round), kept)
        expected = answers.answer(request(server_round), alone)
        assert same(reply.content, expected.content) and same(kept.state, alone.state)
        assert reply.metadata.reply_to_message_id == f"message {server_round}"
    answer = {"answered", "answer-updates", "answer-workers"}
    assert set(kept.state) == {"replica", "replica-version", "worker-0", "worker-1"} | answer
    (only,) = node.workers()  # one for both
    # It remembers nothing but what comes with a message.
    again, other = warm.answer(request(2), kept), warm.answer(request(2), context())
    assert not same(again.content, other.content)
    # What goes wrong is told, and the worker goes on.
    broken = context()
    del broken.node_config["partition-id"]
    reply = client_app.app(request(), broken)
    assert reply.error.code == 2 and "node-config lacks 'partition-id'" in reply.error.reason
    assert node.workers() == [only] and not broken.state


def test_the_process_of_a_message_imports_no_more_than_flower_does():
    code = "import sys, flwr.supernode.cli.flwr_clientapp; of_flower = set(sys.modules)\n"
    code += "import signfed.app.client_app; print(sorted(set(sys.modules) - of_flower))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = {name.strip(" '[]").partition(".")[0] for name in done.stdout.strip().split(",")}
    assert found == {"signfed"}


def test_a_worker_ends_with_its_node_whatever_it_is_doing(quick):
    state = context()
    pid = pid_of(warm.answer(order(), state))
    assert state.state["pid"]["pid"] == pid and len(quick.sockets()) == 1
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(warm.answer, order("hang"), context())
        quick.end()
        assert gone(psutil.Process(pid)) and hung.result() is None


def test_one_that_dies_costs_its_message_some_time(quick, caplog):
    first = pid_of(warm.answer(order(), context()))
    assert warm.answer(order("die"), context()) is None
    assert "warm worker: " in caplog.text and "answered without it" in caplog.text
    assert gone(*quick.workers())
    assert pid_of(warm.answer(order(), context())) not in (first, os.getpid())
    reply = warm.answer(order("fail"), context())
    assert reply.error.reason == "RuntimeError: no data"


def test_one_that_is_stopped_is_given_up_and_ends_when_it_goes_on(quick, monkeypatch):
    monkeypatch.setattr(warm, "SPARE", 0.0)
    stopped = psutil.Process(pid_of(warm.answer(order(), context())))
    stopped.suspend()
    reply = client_app.app(order(ttl=0.1), context())
    assert reply.error.reason.startswith("TimeoutError: the node's worker expected to answer wi")
    assert pid_of(warm.answer(order(), context())) != stopped.pid
    stopped.resume()
    assert gone(stopped) and len(quick.workers()) == 1


def test_another_run_has_another_worker_and_the_first_one_ends(quick):
    first = psutil.Process(pid_of(warm.answer(order(), context(7))))
    other = pid_of(warm.answer(order(), context(8)))
    assert gone(first) and [p.pid for p in quick.workers()] == [other]


def test_messages_that_come_together_start_one_worker(quick):
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: warm.answer(order(), context()), range(4)))
    assert len({pid_of(reply) for reply in replies}) == len(quick.workers()) == 1


def test_a_folder_that_others_may_enter_is_not_used(node, caplog):
    node.place.mkdir(mode=0o755)
    node.place.chmod(0o755)
    assert warm.answer(order(), context()) is None and not node.workers()
    assert "expected a folder of this user, closed to others (mode 700)" in caplog.text
    node.place.rmdir()
    node.place.symlink_to(node.place.parent)
    assert warm.answer(order(), context()) is None and not node.workers()
    node.place.unlink()


def test_it_is_there_for_processes_of_one_message_alone(node, monkeypatch):
    assert warm.answer(order(), context(**{"warm-worker": False})) is None
    for argv in (["/bin/flwr-clientapp", warm.INSTALLS], ["/bin/flwr-simulation"]):
        monkeypatch.setattr(sys, "argv", argv)
        assert warm.answer(order(), context()) is None
    assert not node.place.exists()


def test_sockets_at_which_nobody_listens_are_removed(quick):
    warm.folder()
    (quick.place / "0123-4567").write_text("")
    warm.answer(order(), context())
    assert len(quick.sockets()) == 1 and "0123-4567" not in quick.sockets()


def test_why_a_worker_ends(tmp_path):
    path, node = tmp_path / "socket", subprocess.Popen(["sleep", "1000"])
    path.touch()
    watch = Watch(path, node.pid)
    assert watch.reason() == ""
    watch.until = time.monotonic()
    assert watch.reason() == "no time left"
    path.rename(tmp_path / "other")
    assert watch.reason() == "the node does without it"
    path.touch()
    assert watch.reason() == "another worker has taken over"
    node.kill()

    while psutil.Process(node.pid).status() != psutil.STATUS_ZOMBIE:  # nobody has waited for it
        time.sleep(0.01)
    assert watch.reason() == "the node is gone"
    node.wait()
    assert watch.reason() == "the node is gone"
