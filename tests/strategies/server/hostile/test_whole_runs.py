"""Hostile nodes in whole runs: faults of a row, of the first exchange, of Flower's own code."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import ConfigRecord, Error, Message, RecordDict

from signfed.app.client_app import app as client_app
from signfed.app.server_app import run
from signfed.strategies.core.codecs import SignCodec
from tests.federation import config_for, federate, outcome
from tests.grid import InProcessGrid
from tests.strategies.server.hostile.catalogue import catalogue
from tests.strategies.server.hostile.turn import hostile, signfed, silence

ROUND_TIMEOUT = 0.001  # the honest replies are there at once: it is what silence costs
VICTIM = 2
SIGN = signfed(SignCodec(), 9610)


def always(fault, dialect=SIGN):
    return hostile(dialect, lambda n: fault)


@pytest.fixture(scope="module")
def without_victim(tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "run"
    return federate(path, nodes=15, tamper={VICTIM: always(silence)}, round_timeout=ROUND_TIMEOUT)


def test_finite_floats_whose_mean_overflows_skip_the_round(tmp_path):
    def huge(turn):
        return [turn.carries(np.full_like(turn.rows, 3e38))]

    keys = {"nodes": 15, "strategy": "mean", "num_rounds": 3}
    done = federate(tmp_path / "run", tamper={n: always(huge) for n in (2, 3)}, **keys)
    assert [r["skipped"] for r in done.rounds] == ["the rule's direction is not finite"] * 3
    assert done.summary["status"] == "finished"


def test_a_fault_of_one_row_costs_that_worker_only(tmp_path, without_victim):
    """Two nodes: worker 2's row comes with padding bits, its seven neighbours' rows count."""

    def pad(turn):
        rows = turn.rows
        rows[turn.beside["ids"].index(VICTIM), -1] |= 0x80
        return [turn.carries(rows)]

    done = federate(tmp_path / "run", nodes=2, tamper={0: always(pad)})
    assert done.dropped == [{"padding-bits": 1}] * len(done.rounds)
    assert done.sha256 == without_victim.sha256


def test_a_missing_row_costs_that_worker_only(tmp_path, without_victim):
    def leave_out(turn):
        ids = turn.beside["ids"]
        fewer = turn.carries(np.delete(turn.rows, ids.index(VICTIM), axis=0)).content
        header = ConfigRecord({**turn.beside, "ids": [i for i in ids if i != VICTIM]})
        return [turn.says({**fewer, "workers": header})]

    done = federate(tmp_path / "run", nodes=2, tamper={0: always(leave_out)})
    assert done.dropped == [{"missing-row": 1}] * len(done.rounds)
    assert done.sha256 == without_victim.sha256


def claim(record):
    """What a node of a 16-node grid answers to the first exchange; a training is answered."""

    def tamper(request, reply):
        if request.metadata.message_type == "train":
            return [reply]
        if isinstance(record, Error):
            return [Message(record, reply_to=request)]
        said = {k: v for k, v in reply.content["node"].items() if isinstance(v, str)}  # its digest
        told = {name: ConfigRecord({**said, **held}) for name, held in record.items()}
        return [Message(RecordDict(told), metadata=reply.metadata)]

    return tamper


def fields(**fields):
    return {"node": ConfigRecord({name.replace("_", "-"): v for name, v in fields.items()})}


HELLOS = {
    "a negative partition": fields(partition_id=-1, num_partitions=15),
    "no partitions": fields(partition_id=3, num_partitions=0),
    "a partition beyond": fields(partition_id=15, num_partitions=15),
    "minus 2^62 partitions": fields(partition_id=-(2**62), num_partitions=-(2**62)),
    "text": fields(partition_id="0", num_partitions=15),
    "a boolean": fields(partition_id=True, num_partitions=15),
    "a float": fields(partition_id=1.0, num_partitions=15),
    "a list": fields(partition_id=[1], num_partitions=15),
    "a field missing": fields(num_partitions=15),
    "no record": {},
    "other data": fields(partition_id=0, num_partitions=15, data="0"),
    "a digest that is no text": fields(partition_id=0, num_partitions=15, labels=[1.0]),
    "a model made on a terminal": fields(
        partition_id=0, num_partitions=15, model="0@\x1b[2J" + "x" * 10_000
    ),
    "another record": {"more": ConfigRecord(), **fields(partition_id=0, num_partitions=15)},
    "an error": Error(2, "boom"),
    "an error that writes to the terminal": Error(2, "\x1b[2J" * 1000),
}


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return federate(tmp_path_factory.mktemp("honest") / "run", nodes=15, num_rounds=2)


def speaks_as(partition):
    """A node of a 16-node grid that speaks as one of 15: its only worker stays `partition`."""
    return claim(fields(partition_id=partition, num_partitions=15))


@pytest.mark.parametrize("name", HELLOS)
def test_a_hostile_hello_takes_no_part(tmp_path, caplog, name, honest):
    """A sixteenth node with an impossible claim; the last node is heard first."""
    tamper = {15: claim(HELLOS[name])} | {i: speaks_as(i) for i in range(15)}
    done = federate(tmp_path / "run", nodes=16, num_rounds=2, tamper=tamper)
    assert done.sha256 == honest.sha256
    refusals = [r.getMessage() for r in caplog.records if "takes no part" in r.getMessage()]
    assert len(refusals) == 1 and refusals[0].isprintable() and len(refusals[0]) < 1000


def test_a_reply_that_breaks_flowers_unpacking_does_not_hide_the_others(tmp_path, without_victim):
    class Fragile(InProcessGrid):
        """As Flower's HTTP grid: one reply that cannot be inflated raises for all."""

        def push_messages(self, messages):
            messages = list(messages)
            ids = super().push_messages(messages)
            for message, message_id in zip(messages, ids, strict=True):
                node = message.metadata.dst_node_id
                if message.metadata.message_type == "train" and node == 100 + VICTIM:
                    self.broken = message_id
            return ids

        broken = ""

        def pull_messages(self, message_ids):
            if self.broken in message_ids:
                raise ValueError("cannot inflate")
            return super().pull_messages(message_ids)

    config = config_for(tmp_path / "run", {})
    run(Fragile(client_app, 15, config), config)
    done = outcome(tmp_path / "run")
    assert done.dropped == [{"no-reply": 1}] * len(done.rounds)
    assert done.sha256 == without_victim.sha256


def test_each_fault_is_logged_once(tmp_path, caplog):
    fault = catalogue(SignCodec())["garbage"].send
    federate(tmp_path / "run", nodes=15, tamper={VICTIM: always(fault)})
    assert sum("malformed" in record.getMessage() for record in caplog.records) == 1


def test_an_error_is_logged_short_and_printable(tmp_path, caplog):
    fault = catalogue(SignCodec())["an error with a megabyte of control characters"].send
    federate(tmp_path / "run", nodes=15, tamper={VICTIM: always(fault)})
    (said,) = [r.getMessage() for r in caplog.records if "dropped updates" in r.getMessage()]
    assert "[2J" in said and said.isprintable() and len(said) < 1000
