"""Random replies through everything that reads one: nothing escapes, and nothing is believed.

4,000 replies in batches of 1,000; SIGNFED_FUZZ_CASES=1000000 asks for more. A batch is a seed.
"""

from __future__ import annotations

import os
from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from signfed.strategies.core.codecs import CODECS
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.transport import wire
from signfed.strategies.server.transport.roster import ClaimRefused, Roster
from tests.strategies.server.hostile.lies import LIES, VALUES, draft
from tests.strategies.server.hostile.server import BOUND, ROUND, Server

CASES = int(os.environ.get("SIGNFED_FUZZ_CASES", "4000"))
BATCH, TOGETHER = 1000, 10  # replies of a batch, and of one example
SIZES = (1, 8, 13, 1001)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::SyntaxWarning")
quickly = settings(
    phases=[Phase.generate],  # to shrink an example of ten replies takes minutes
    suppress_health_check=list(HealthCheck),
    max_examples=1000,
)


@lru_cache
def server_of(channel, n):
    return Server(CODECS[channel], n)


def fit(channel, row, n):
    """Whether a row is what its codec promises, said a second time."""
    bits = np.unpackbits(row.view(np.uint8), bitorder="little")
    size = -(-n // 8)
    if channel == "float32":
        return (
            row.dtype == "<f4" and row.shape == (n,) and np.abs(row.astype(float)).max() < 3.41e38
        )
    if channel == "sign":
        return row.dtype == np.uint8 and row.shape == (size,) and not bits[n:].any()
    values = row[size:].tobytes()
    finite = np.abs(np.frombuffer(values, "<f4").astype(float)).max() < 3.41e38
    chosen = bits[: 8 * size]
    return finite and chosen.sum() == len(values) // 4 and not chosen[n:].any()


def written(server, changes):
    reply = draft(server)
    for change in changes:
        change(reply)
    return reply.message()


def check(server, replies, neighbour, seen):
    """A round with these replies; neighbour: and then an honest node's."""
    received, peak = server.open(*replies, neighbour=neighbour)
    rows, dropped, n = received.rows, received.dropped, server.n_coordinates
    assert peak < BOUND
    assert sorted([*rows, *dropped]) == [0, 1, 2, 3]
    assert all(isinstance(reason, DropReason) for reason in dropped.values())
    assert all(fit(server.codec.name, row, n) for row in rows.values())
    if {1, 3} <= set(rows):
        assert np.array_equal(np.stack([rows[1], rows[3]]), server.neighbours_rows)
    elif (
        neighbour
    ):  # another node was first to answer its request, which Flower's SuperLink would refuse
        assert any(r.metadata.reply_to_message_id == "to 101" for r in replies)
    if rows:
        updates = Updates.from_rows(rows, server.codec, n, ROUND)
        assert np.isfinite(updates.dense().numpy()).all()
    assert received.uplink_bytes >= 0
    seen.update(dropped.values())
    seen.update(peak=0, accepted=len({0, 2} & set(rows)))
    seen["peak"] = max(seen["peak"], peak)


@pytest.mark.parametrize("batch", range(-(-CASES // BATCH)))
def test_a_batch_of_random_replies(batch, record_property):
    channel = list(CODECS)[batch % len(CODECS)]
    seen = Counter()

    @seed(batch)
    @settings(quickly, max_examples=BATCH // TOGETHER)
    @given(st.sampled_from(SIZES), st.tuples(*[LIES] * TOGETHER), st.booleans())
    def play(n, lies, at_once):
        server = server_of(channel, n)
        replies = [written(server, changes) for changes in lies]
        for i in range(TOGETHER):
            check(server, replies[i : i + 1 + at_once], at_once, seen)

    play()
    record_property("seen", {str(reason): count for reason, count in seen.items()})
    # Otherwise the fuzz would be a way to say nothing.
    assert {"accepted", "malformed", "wrong-shape", "error"} <= set(seen)


@seed(0)
@quickly
@given(
    st.dictionaries(
        st.sampled_from(["partition-id", "num-partitions", "more"]),
        st.integers(-2, 9) | VALUES,
    ),
    st.sampled_from(["node", "node", "other"]),
)
def test_random_first_answers(fields, name):
    roster = Roster(4)
    roster.claim(100, 1, 2, connected=(100, 101))
    reply = Message(RecordDict({name: ConfigRecord(fields)}), 1, wire.HELLO)
    try:
        workers = roster.claim(101, *wire.read_hello_reply(reply), connected=(100, 101))
    except (wire.Malformed, ClaimRefused):
        return
    assert set(workers) <= {0, 2}
