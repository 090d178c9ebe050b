"""Nodes that take no part: whom a run waits for, and what it says when it cannot begin."""

from __future__ import annotations

import json

import pytest
from flwr.app import Error, Message
from flwr.superlink.grid import HttpGrid

from signfed.app.client_app import app as client_app
from signfed.app.server_app import run
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.transport import reception
from signfed.strategies.server.transport.roster import Roster
from tests.federation import config_for, federate
from tests.grid import InProcessGrid

LONG = 600.0  # seconds: longer than a test may last


def declines(code, reason):
    """A node that answers every hello with an error."""

    def tamper(request, reply):
        hello = request.metadata.message_type != "train"
        return [Message(Error(code, reason), reply_to=request)] if hello else [reply]

    return tamper


@pytest.mark.parametrize("code", [*reception.REFUSALS, *reception.DEATHS])
def test_when_all_simulated_nodes_decline_nobody_waits(tmp_path, code):
    """A process that ended may have been unlucky: it is asked again, three times in all."""
    nodes = {0: declines(code, "OSError: no disk"), 1: declines(code, "OSError: another")}
    with pytest.raises(FederationError, match="2 of 2 nodes take no part") as error:
        federate(tmp_path / "run", nodes=2, tamper=nodes, node_timeout=LONG)
    assert str(error.value).endswith("node 101: OSError: another")  # it answers first


def test_one_that_declines_is_named_only_when_the_others_are_too_few(tmp_path):
    declined = {1: declines(2, "OSError: no disk")}
    keys = {"nodes": 2, "tamper": declined, "node_timeout": 0.05}
    done = federate(tmp_path / "run", **keys, quorum=0.3)
    assert [r["received"] for r in done.rounds] == [8] * 6
    with pytest.raises(FederationError, match=r"1 of 2 nodes take no part.*: OSError: no disk"):
        federate(tmp_path / "few", **keys, quorum=0.9)


def test_a_process_that_ends_once_is_asked_again(tmp_path):
    asked = []

    def once(request, reply):
        asked.append(request)
        return [Message(Error(0, "killed"), reply_to=request)] if len(asked) == 1 else [reply]

    done = federate(tmp_path / "run", nodes=2, tamper={0: once}, node_timeout=LONG)
    assert [r["received"] for r in done.rounds] == [15] * 6


UNANSWERED = "unanswered"


class Forgetful(InProcessGrid):
    """The first question who node 100 is comes to nothing: rejected, or never answered."""

    def __init__(self, config, said):
        super().__init__(client_app, 2, config)
        self.said, self.questions = said, 0

    def push_messages(self, messages):
        ids = []
        for message in messages:
            ids += super().push_messages([message])
            asks = message.metadata.message_type != "train" and message.metadata.dst_node_id == 100
            self.questions += asks
            if asks and self.questions == 1:
                del self._inbox[ids[-1]]
                ids[-1] = ids[-1] if self.said == UNANSWERED else self.said
        return ids


class Seconds:
    """A clock that goes on by a second whenever it is looked at."""

    now = 0.0

    def monotonic(self):
        self.now += 1
        return self.now

    def sleep(self, seconds):
        return None


@pytest.mark.parametrize("said", [None, "", UNANSWERED])
def test_a_question_that_comes_to_nothing_is_asked_again(tmp_path, monkeypatch, said):
    """Rejected by Flower 1.41, by 1.43; or 1.43 leaves a reply out whose objects are lost."""
    monkeypatch.setattr(reception, "time", Seconds())
    config = config_for(tmp_path / "run", {"node-timeout": 20.0, "quorum": 0.3})
    grid = Forgetful(config, said)
    run(grid, config)
    last = json.loads((tmp_path / "run" / "rounds.jsonl").read_text().splitlines()[-1])
    assert grid.questions == 2 and last["received"] == 15


def test_devices_that_declined_may_be_joined_by_others(tmp_path, monkeypatch):
    """On real nodes a first one that declines does not end the wait for the second."""

    class Devices(InProcessGrid, HttpGrid):
        looks = 0

        def get_node_ids(self):
            self.looks += 1
            return super().get_node_ids()[: 1 if self.looks < 5 else 2]

    monkeypatch.setattr(reception, "time", Seconds())
    config = config_for(tmp_path / "run", {"node-timeout": 50.0, "quorum": 0.3, "attack": "none"})
    grid = Devices(client_app, 2, config, {0: declines(2, "OSError: no disk")})
    run(grid, config)
    last = json.loads((tmp_path / "run" / "rounds.jsonl").read_text().splitlines()[-1])
    assert grid.looks >= 5 and last["received"] == 7


def mended_after(errors):
    """A node that answers so many hellos with an error, and then is as it should be."""
    said = []

    def tamper(request, reply):
        if request.metadata.message_type == "train":
            return [reply]
        said.append(request)
        broken = len(said) <= errors
        return [Message(Error(2, "OSError: no data"), reply_to=request)] if broken else [reply]

    return tamper


def test_a_node_that_declined_and_was_mended_takes_part(tmp_path, monkeypatch, caplog):
    """Its key, and so its id, is the same as before; what it says twice is logged once."""
    monkeypatch.setattr(reception, "time", Seconds())
    keys = {"nodes": 2, "quorum": 0.3, "node_timeout": 5.0, "num_rounds": 12}
    done = federate(tmp_path / "run", **keys, tamper={0: mended_after(errors=2)})
    received = [r["received"] for r in done.rounds]
    assert received[0] == 7 and received[-1] == 15
    assert [r.message for r in caplog.records].count(
        "node 100 takes no part: OSError: no data"
    ) == 1


def test_after_resume_a_node_takes_part_once_it_has_said_what_it_is(tmp_path):
    """Its workers are kept for it, and nobody else gets them while it is there."""
    config = config_for(tmp_path / "run", {})
    grid = InProcessGrid(client_app, 2, config, {0: mended_after(errors=1)})
    before = Roster(15)
    for partition in range(2):
        before.claim(100 + partition, partition, 2, connected=())
    found = reception.Reception(15, patience=0.0)
    found.roster.load_state_dict(before.state_dict())
    found.look(grid)
    assert set(found.present()) == set(found.hosts(range(15))) == {101}
    found.look(grid)
    assert set(found.present()) == {100, 101}
