"""A hostile node cannot end the run, and its replies leave no trace but a count."""

from __future__ import annotations

import io

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from tests.federation import federate

LENGTH = -(-9610 // 8)  # bytes of a row of the digits model, whose last byte has 6 pad bits
ROUND_TIMEOUT = 0.05


def with_rows(reply: Message, rows: np.ndarray | Array, **workers: object) -> Message:
    """The reply with other rows, and with other fields beside them."""
    array = rows if isinstance(rows, Array) else Array(rows)
    header = ConfigRecord({**reply.content["workers"], **workers})
    return with_content(reply, updates=ArrayRecord({"rows": array}), workers=header)


def with_content(reply: Message, **records: object) -> Message:
    return Message(RecordDict(records), metadata=reply.metadata)


def payload(array: np.ndarray) -> bytes:
    return Array(array).data


def own_rows(reply: Message) -> np.ndarray:
    return reply.content["updates"]["rows"].numpy().copy()


def lying_array(data: bytes) -> Array:
    """An Array whose own fields promise what the server expects, whatever it carries."""
    return Array("uint8", (1, LENGTH), "numpy.ndarray", data)


def padded(reply: Message) -> Message:
    rows = own_rows(reply)
    rows[:, -1] |= 0x80
    return with_rows(reply, rows)


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"code": print}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def giant_header() -> bytes:
    """A header that declares a terabyte before a few bytes of payload."""
    buffer = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (1 << 20, 1 << 20)}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + b"\0" * 16


def stolen_sender(reply: Message) -> Message:
    reply.metadata.__dict__["_src_node_id"] = 101
    return reply


RIGHT = np.zeros((1, LENGTH), np.uint8)

# name -> (what the node sends instead of its reply, the reason under which it is counted)
FAULTS = {
    "too short": (lambda q, r: [with_rows(r, RIGHT[:, :-1])], "wrong-shape"),
    "too long": (lambda q, r: [with_rows(r, np.zeros((1, LENGTH + 1), np.uint8))], "wrong-shape"),
    "one dimension": (lambda q, r: [with_rows(r, RIGHT[0])], "wrong-shape"),
    "more rows than ids": (lambda q, r: [with_rows(r, np.tile(RIGHT, (2, 1)))], "wrong-shape"),
    "fortran order": (
        lambda q, r: [with_rows(r, np.asfortranarray(np.zeros((2, LENGTH), np.uint8)))],
        "wrong-shape",
    ),
    "trailing bytes": (
        lambda q, r: [with_rows(r, lying_array(payload(RIGHT) + b"\0"))],
        "wrong-shape",
    ),
    "declares a terabyte": (
        lambda q, r: [with_rows(r, lying_array(giant_header()))],
        "wrong-shape",
    ),
    "64 MB": (lambda q, r: [with_rows(r, np.zeros((1, 1 << 26), np.uint8))], "wrong-shape"),
    "floats": (lambda q, r: [with_rows(r, np.zeros((1, LENGTH), np.float32))], "wrong-dtype"),
    "signed bytes": (lambda q, r: [with_rows(r, RIGHT.view(np.int8))], "wrong-dtype"),
    "pickle": (lambda q, r: [with_rows(r, lying_array(pickled()))], "wrong-dtype"),
    "garbage bytes": (lambda q, r: [with_rows(r, lying_array(b"\x93garbage" * 200))], "malformed"),
    "no bytes": (lambda q, r: [with_rows(r, lying_array(b""))], "malformed"),
    "cut header": (lambda q, r: [with_rows(r, lying_array(payload(RIGHT)[:40]))], "malformed"),
    "padding bits": (lambda q, r: [padded(r)], "padding-bits"),
    "another's id": (lambda q, r: [with_rows(r, RIGHT, ids=[7])], "foreign-worker"),
    "an id beyond": (lambda q, r: [with_rows(r, RIGHT, ids=[10**12])], "foreign-worker"),
    "a negative id": (lambda q, r: [with_rows(r, RIGHT, ids=[-1])], "foreign-worker"),
    "no ids": (lambda q, r: [with_rows(r, RIGHT[:0], ids=[])], "malformed"),
    "its id twice": (
        lambda q, r: [with_rows(r, np.tile(RIGHT, (2, 1)), ids=[2, 2])],
        "malformed",
    ),
    "ids as text": (lambda q, r: [with_rows(r, RIGHT, ids=["2"])], "malformed"),
    "ids as floats": (lambda q, r: [with_rows(r, RIGHT, ids=[2.0])], "malformed"),
    "one id, no list": (lambda q, r: [with_rows(r, RIGHT, ids=2)], "malformed"),
    "another round": (lambda q, r: [with_rows(r, RIGHT, round=99)], "wrong-round"),
    "round as float": (lambda q, r: [with_rows(r, RIGHT, round=1.0)], "wrong-round"),
    "an extra field": (lambda q, r: [with_rows(r, RIGHT, weight=10**9)], "malformed"),
    "renamed rows": (
        lambda q, r: [
            with_content(
                r,
                updates=ArrayRecord({"row": Array(RIGHT)}),
                workers=r.content["workers"],
            )
        ],
        "malformed",
    ),
    "a record missing": (
        lambda q, r: [with_content(r, updates=r.content["updates"])],
        "malformed",
    ),
    "a record too many": (
        lambda q, r: [with_content(r, **r.content, num=MetricRecord({"num-examples": 10**9}))],
        "malformed",
    ),
    "a record of another type": (
        lambda q, r: [
            with_content(r, updates=r.content["updates"], workers=MetricRecord({"round": 1}))
        ],
        "malformed",
    ),
    "empty": (lambda q, r: [with_content(r)], "malformed"),
    "an error": (lambda q, r: [Message(Error(2, "boom"), reply_to=q)], "error"),
    "another sender": (lambda q, r: [stolen_sender(r)], "wrong-sender"),
    "silence": (lambda q, r: [], "no-reply"),
}
VICTIM = 2


def in_training(fault):
    """Honest at the first exchange, hostile in every round."""
    return lambda request, reply: (
        fault(request, reply) if request.metadata.message_type == "train" else [reply]
    )


def silent(request, reply):
    return []


@pytest.fixture(scope="module")
def without_victim(tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "run"
    keys = {"nodes": 15, "round_timeout": ROUND_TIMEOUT}
    return federate(path, tamper={VICTIM: in_training(silent)}, **keys)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_dropped_counted_and_leaves_no_trace(tmp_path, name, without_victim):
    fault, reason = FAULTS[name]
    tamper = {VICTIM: in_training(fault)}
    done = federate(tmp_path / "run", nodes=15, tamper=tamper, round_timeout=ROUND_TIMEOUT)
    assert done.dropped == [{reason: 1}] * len(done.rounds)
    assert done.sha256 == without_victim.sha256


def test_all_faults_at_once(tmp_path):
    """More faults than nodes: three nodes take turns, a fault a round each."""
    faults = [fault for fault, _ in FAULTS.values()]

    def turn(offset):
        def tamper(request, reply):
            index = 3 * (request.content["config"]["round"] - 1) + offset
            if faults[index % len(faults)] is FAULTS["another's id"][0]:
                return [with_rows(reply, RIGHT, ids=[7])]
            return faults[index % len(faults)](request, reply)

        return in_training(tamper)

    keys = {"nodes": 15, "num_rounds": 12, "round_timeout": ROUND_TIMEOUT}
    hostile = federate(
        tmp_path / "all", tamper={n: turn(i) for i, n in enumerate((2, 8, 11))}, **keys
    )
    quiet = federate(tmp_path / "none", tamper={n: in_training(silent) for n in (2, 8, 11)}, **keys)
    assert [sum(d.values()) for d in hostile.dropped] == [3] * 12
    assert {reason for d in hostile.dropped for reason in d} == {r for _, r in FAULTS.values()}
    assert hostile.sha256 == quiet.sha256


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_floats(tmp_path, value):
    def poison(request, reply):
        rows = own_rows(reply)
        rows[0, 17] = value
        return [with_rows(reply, rows)]

    keys = {"nodes": 15, "strategy": "mean", "round_timeout": ROUND_TIMEOUT}
    done = federate(tmp_path / "nan", tamper={VICTIM: in_training(poison)}, **keys)
    assert done.dropped == [{"non-finite": 1}] * len(done.rounds)
    quiet = federate(tmp_path / "quiet", tamper={VICTIM: in_training(silent)}, **keys)
    assert done.sha256 == quiet.sha256


def test_finite_floats_whose_mean_overflows_skip_the_round(tmp_path):
    def huge(request, reply):
        return [with_rows(reply, np.full_like(own_rows(reply), 3e38))]

    keys = {"nodes": 15, "strategy": "mean", "num_rounds": 3}
    done = federate(tmp_path / "run", tamper={n: in_training(huge) for n in (2, 3)}, **keys)
    assert [r["skipped"] for r in done.rounds] == ["the rule's direction is not finite"] * 3
    assert done.summary["status"] == "finished"


def test_a_fault_of_one_row_costs_that_worker_only(tmp_path, without_victim):
    """Two nodes: worker 2's row comes with padding bits, its seven neighbours' rows count."""

    def tamper(request, reply):
        rows = own_rows(reply)
        rows[reply.content["workers"]["ids"].index(VICTIM), -1] |= 0x80
        return [with_rows(reply, rows)]

    done = federate(tmp_path / "run", nodes=2, tamper={0: in_training(tamper)})
    assert done.dropped == [{"padding-bits": 1}] * len(done.rounds)
    assert done.sha256 == without_victim.sha256


def test_a_missing_row_costs_that_worker_only(tmp_path, without_victim):
    def tamper(request, reply):
        ids = reply.content["workers"]["ids"]
        at = ids.index(VICTIM)
        kept = [i for i in ids if i != VICTIM]
        return [with_rows(reply, np.delete(own_rows(reply), at, axis=0), ids=kept)]

    done = federate(tmp_path / "run", nodes=2, tamper={0: in_training(tamper)})
    assert done.dropped == [{"missing-row": 1}] * len(done.rounds)
    assert done.sha256 == without_victim.sha256


def test_a_second_reply_is_ignored(tmp_path):
    def twice(request, reply):
        return [reply, with_rows(reply, RIGHT)]

    done = federate(tmp_path / "twice", nodes=15, tamper={VICTIM: in_training(twice)})
    assert done.dropped == [{}] * len(done.rounds)
    assert done.sha256 == federate(tmp_path / "once", nodes=15).sha256


def test_a_hostile_hello_takes_no_part(tmp_path, caplog):
    """A sixteenth node with an impossible claim."""
    claims = [
        {"partition-id": -1, "num-partitions": 15},
        {"partition-id": 3, "num-partitions": 0},
        {"partition-id": "0", "num-partitions": 15},
        {"num-partitions": 15},
    ]

    def claim(fields):
        return lambda request, reply: (
            [with_content(reply, node=ConfigRecord(fields))]
            if request.metadata.message_type != "train"
            else [reply]
        )

    # Replies come last node first, so it is heard first.
    honest = federate(tmp_path / "honest", nodes=15, num_rounds=2)
    for fields in claims:
        done = federate(
            tmp_path / f"hostile {fields}", nodes=16, num_rounds=2,
            tamper={15: claim(fields)} | {i: renumber(i) for i in range(15)},
        )  # fmt: skip
        assert done.sha256 == honest.sha256
        assert "takes no part" in caplog.text


def renumber(partition: int):
    """A node of a 16-node grid that speaks as one of 15: its only worker stays `partition`."""

    def tamper(request, reply):
        if request.metadata.message_type == "train":
            return [reply]
        fields = {"partition-id": partition, "num-partitions": 15}
        return [with_content(reply, node=ConfigRecord(fields))]

    return tamper


def test_a_reply_that_breaks_flowers_unpacking_does_not_hide_the_others(tmp_path, without_victim):
    from app.client_app import app as client_app
    from app.server_app import run
    from tests.federation import config_for, outcome
    from tests.grid import InProcessGrid

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
    fault, _ = FAULTS["garbage bytes"]
    federate(tmp_path / "run", nodes=15, tamper={VICTIM: in_training(fault)})
    assert sum("malformed" in record.getMessage() for record in caplog.records) == 1
