"""What a reply may cost the server: memory as the rows asked for need it, not as it holds."""

from __future__ import annotations

import mmap
import tracemalloc

import numpy as np
import psutil
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from signfed.strategies.core.codecs import CODECS, Float32Codec
from signfed.strategies.server.transport.measure import size
from tests.strategies.server.hostile.payloads import header
from tests.strategies.server.hostile.server import BOUND, Server

GIGABYTE = 1 << 30
MEGABYTES = 64 << 20
N = 1001


def giant(dtype: np.dtype, shape: tuple[int, ...]) -> ArrayRecord:
    """An array of a gigabyte behind its header; no memory until somebody reads it."""
    record = ArrayRecord({"rows": Array(np.zeros(1, dtype))})
    record["rows"].data = mmap.mmap(-1, GIGABYTE)
    record["rows"].data.write(header(dtype.str, shape))
    return record


def resident():
    return psutil.Process().memory_info().rss


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("shape", [(1, GIGABYTE), (2, 1001), (1 << 40, 1 << 40)])
def test_a_gigabyte_is_refused_unread(codec, shape):
    server = Server(codec, N)
    before = resident()
    array = giant(codec.dtype, shape)
    reply = server.reply(lambda content: {**content, "updates": array})
    received, peak = server.open(reply)
    assert received.dropped == {0: "wrong-shape", 2: "wrong-shape"}
    assert received.uplink_bytes > GIGABYTE
    assert peak < BOUND and resident() - before < 2**25


# What else can be large in a reply: name -> its records, made from the honest ones.
LARGE = {
    "bytes in a config": lambda c: {**c, "workers": ConfigRecord({"ids": bytes(MEGABYTES)})},
    "a field beside the ids": lambda c: {
        **c, "workers": ConfigRecord({**c["workers"], "more": bytes(MEGABYTES)})
    },
    "an extra config": lambda c: {**c, "more": ConfigRecord({"more": "x" * MEGABYTES})},
    "the name of a record": lambda c: {**c, "x" * MEGABYTES: ConfigRecord()},
    "the name of an array": lambda c: {
        **c, "updates": ArrayRecord({"x" * MEGABYTES: c["updates"]["rows"]})
    },
    "the name of a dtype": lambda c: {
        **c,
        "updates": ArrayRecord(
            {"rows": Array("x" * MEGABYTES, (1,), "numpy.ndarray", c["updates"]["rows"].data)}
        ),
    },
    "an array beside the rows": lambda c: {
        **c,
        "updates": ArrayRecord(
            {**c["updates"], "more": Array("u1", (1,), "numpy.ndarray", bytes(MEGABYTES))}
        ),
    },
    "ids": lambda c: {**c, "workers": ConfigRecord({**c["workers"], "ids": [7] * 10**6})},
    "other ids": lambda c: {
        **c, "workers": ConfigRecord({**c["workers"], "ids": list(range(10**6))})
    },
    "texts": lambda c: {**c, "workers": ConfigRecord({**c["workers"], "ids": [""] * 10**6})},
    "metrics": lambda c: {**c, "more": MetricRecord({"more": [1.0] * 10**6})},
    "records": lambda c: {**c, **{f"{i}": ConfigRecord() for i in range(20_000)}},
    "fields": lambda c: {
        **c, "workers": ConfigRecord({**c["workers"], **{f"{i}": i for i in range(20_000)}})
    },
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_nothing_large_is_copied(name):
    server = Server(Float32Codec(), N)
    received, peak = server.open(server.reply(LARGE[name]))
    assert len(received.dropped) in (0, 2)  # the name of a dtype is not read at all
    assert peak < BOUND


def test_nor_is_a_long_excuse():
    server = Server(Float32Codec(), N)
    excuse = Message(Error(2, "x" * MEGABYTES), metadata=server.honest.metadata)
    received, peak = server.open(excuse)
    assert received.dropped == {0: "error", 2: "error"} and peak < BOUND


def test_the_bound_would_be_broken_by_a_copy():
    """That the measure sees what it should."""
    data = bytes(MEGABYTES)
    tracemalloc.start()
    try:
        kept = RecordDict({"more": ConfigRecord({"more": data})})
        message = Message(kept, dst_node_id=1, message_type="train")
        size(message, limit=float("inf"))
        assert tracemalloc.get_traced_memory()[1] > MEGABYTES > BOUND
    finally:
        tracemalloc.stop()


def test_honest_replies_are_measured_to_the_byte():
    server = Server(Float32Codec(), N)
    received, _ = server.open(server.honest, neighbour=False)
    assert received.uplink_bytes == size(server.honest) > 2 * 4 * N
