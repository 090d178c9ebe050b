"""A SuperLink that answers with an error of its own, for a moment: Flower raises it."""

from __future__ import annotations

from itertools import count

import httpx
import pytest

from signfed import Mean
from signfed.app.client_app import app as client_app
from signfed.app.server_app import run
from signfed.strategies.server.transport import exchange
from tests.federation import config_for, federate, outcome
from tests.grid import InProcessGrid
from tests.strategies.server.drop_in.app import client, floats, grid, same


class Pauses:
    """A clock whose pauses are over at once."""

    def __init__(self):
        self.now = count()

    def monotonic(self):
        return float(next(self.now))

    def sleep(self, seconds):
        return None


class Busy(InProcessGrid):
    """Some calls end with an error. broken: the number of the call, from 0 -> the status."""

    looks, pushes = count(), count()
    broken_looks, broken_pushes = {}, {}

    def get_node_ids(self):
        self._break(self.broken_looks.get(next(self.looks)))
        return super().get_node_ids()

    def push_messages(self, messages):
        self._break(self.broken_pushes.get(next(self.pushes)))
        return super().push_messages(messages)

    def _break(self, status):
        if status is not None:
            request = httpx.Request("POST", "http://127.0.0.1/")
            response = httpx.Response(status, request=request)
            raise httpx.HTTPStatusError("busy", request=request, response=response)


@pytest.fixture
def busy(monkeypatch):
    monkeypatch.setattr(exchange, "time", Pauses())

    def made(app, nodes, config=None, looks=(), pushes=(), status=500):
        found = Busy(app, nodes, config)
        found.looks, found.pushes = count(), count()
        found.broken_looks = dict.fromkeys(looks, status)
        found.broken_pushes = dict.fromkeys(pushes, status)
        return found

    return made


def ours(tmp_path, busy, **broken):
    config = config_for(tmp_path / "busy", {})
    run(busy(client_app, 2, config, **broken), config)
    return outcome(tmp_path / "busy")


def test_an_error_that_passes_costs_nothing(tmp_path, busy):
    done = ours(tmp_path, busy, looks=[3, 4], pushes=[0, 3, 4])
    assert done.sha256 == federate(tmp_path / "whole", nodes=2).sha256


def test_an_error_that_stays_costs_the_round(tmp_path, busy):
    """Questions are push 0, the rounds 1, 2, ...: the third is tried three times."""
    done = ours(tmp_path, busy, pushes=[3, 4, 5])
    assert [sum(lost.values()) for lost in done.dropped] == [0, 0, 15, 0, 0, 0]
    assert done.dropped[2] == {"no-reply": 15}


def test_in_anothers_app_too(busy):
    done = Mean().start(busy(client(), 3, looks=[1, 2], pushes=[0, 2]), floats(), 3)
    assert same(done.arrays, Mean().start(grid(3), floats(), 3).arrays)


def test_a_refusal_is_no_error_of_the_superlinks(busy):
    with pytest.raises(httpx.HTTPStatusError):
        Mean().start(busy(client(), 3, looks=[1], status=401), floats(), 3)
