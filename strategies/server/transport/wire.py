"""The messages of a round: what goes into them and what may come out, both halves side by side.

`query.hello` reply:
    config "node": "partition-id", "num-partitions" (int); a digest (text) for each part of what the
        node computes on: "data", "labels", "shards", "model", "buffers".
`train` request:
    arrays "model": "parameters", float32 [N], and "momentum", float32 [N], where SGD has one and
        the node is to keep the model; or "directions", uint8 [k, ceil(N/8)], the packed sign
        vectors of the last k steps, oldest first.
    config "config": "round" (int); "version" (int), the steps taken so far; "keep" (bool), whether
        the node should keep the model; "digest" (text), what the model is after the directions;
        "encoder" (name); the rule's instructions; the user's keys.
`train` reply:
    arrays "updates": "rows", [h, L], one row of the codec per hosted worker.
    config "workers": "ids", list of h ints; "round" (int).
  or, from a node that cannot follow:
    config "replica": "held" (int), the version that it holds, -1 for none.

Nothing in a reply is believed before it is checked, and nothing that it says about its sender is
used: `open_reply` is handed the workers for which that node may speak.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from functools import lru_cache
from io import BytesIO
from types import MappingProxyType

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.common.serde import recorddict_to_proto

from signfed.strategies.core.codecs import Codec

HELLO = "query.hello"
TRAIN = "train"
MAX_HEADER = 1024  # bytes; numpy writes 128 before an array of ours
NO_DIGEST: Mapping[str, str] = MappingProxyType({})
MAX_EXCUSE = 500  # characters of a client's error text that are logged


class Malformed(Exception):
    """A reply that cannot be used; the text is the reason under which it is counted."""


def size(message: Message, limit: float = float("inf")) -> int:
    """Bytes of a message's content, serialized as protobuf; 0 for an error or what cannot be.

    limit: what weighs more is only added up, since serializing copies it, which is what the sender
    of a giant reply hopes for.
    """
    try:
        weight = _weight(message.content)
        return weight if weight > limit else recorddict_to_proto(message.content).ByteSize()
    except Exception:  # a foreign reply may hold anything
        return 0


def _weight(value: object) -> int:
    """About the bytes of a record, or of what is in one, by its lengths; copies nothing."""
    if isinstance(value, Array):
        return len(value.data) + len(value.dtype) + len(value.stype) + 8 * len(value.shape)
    if isinstance(value, Mapping):
        return sum(len(name) + _weight(held) for name, held in value.items())
    if isinstance(value, list):  # Flower's lists are of one type
        texts = isinstance(next(iter(value), None), str | bytes)
        return 8 * len(value) + (sum(map(len, value)) if texts else 0)
    return len(value) if isinstance(value, str | bytes) else 8


def excuse(reply: Message) -> str:
    """What an error reply says, fit for a log: one line, printable, not endless."""
    said = (reply.error.reason or "")[:MAX_EXCUSE] if reply.has_error() else ""
    return "".join(c if c.isprintable() else " " for c in said)


def hello(node: int, ttl: float) -> Message:
    """Ask a node which partition it is."""
    return Message(RecordDict(), node, HELLO, ttl=ttl)


def hello_reply(
    request: Message, partition: int, num_partitions: int, digest: Mapping[str, str] = NO_DIGEST
) -> Message:
    claim = {"partition-id": partition, "num-partitions": num_partitions}
    return Message(RecordDict({"node": ConfigRecord({**digest, **claim})}), reply_to=request)


def read_hello_reply(reply: Message) -> tuple[int, int]:
    """(partition-id, num-partitions) as claimed. Raises Malformed."""
    record = _records(reply, {"node": ConfigRecord})["node"]
    partition, num_partitions = record.get("partition-id"), record.get("num-partitions")
    if type(partition) is not int or type(num_partitions) is not int:
        raise Malformed("malformed")
    return partition, num_partitions


def train(
    nodes: list[int], model: ArrayRecord, server_round: int, config: ConfigRecord, ttl: float
) -> list[Message]:
    """One request per node; all share one content. A late node never sees it: it expires."""
    record = ConfigRecord({**config, "round": server_round})
    content = RecordDict({"model": model, "config": record})
    return [Message(content, node, TRAIN, ttl=ttl) for node in nodes]


def read_train(request: Message) -> tuple[ArrayRecord, ConfigRecord]:
    """("model", "config") of a request; a client trusts its server."""
    return request.content["model"], request.content["config"]


def lacking_reply(request: Message, held: int) -> Message:
    """A node cannot follow: it asks for the whole model. held: its version, or -1."""
    return Message(RecordDict({"replica": ConfigRecord({"held": held})}), reply_to=request)


def read_lacking(reply: Message) -> int | None:
    """The version that the sender of a `lacking_reply` holds, -1 for none; else None."""
    if reply.has_error() or not _holds_only(reply.content, ("replica",)):
        return None
    record = reply.content["replica"]
    held = record.get("held") if isinstance(record, ConfigRecord) else None
    return held if type(held) is int and held >= 0 else -1


def train_reply(request: Message, rows: dict[int, np.ndarray], server_round: int) -> Message:
    """rows: worker id -> encoded row; all of one dtype and length."""
    matrix = np.stack(list(rows.values()))
    content = {
        "updates": ArrayRecord({"rows": Array(matrix)}),
        "workers": ConfigRecord({"ids": list(rows), "round": server_round}),
    }
    return Message(RecordDict(content), reply_to=request)


def open_reply(
    reply: Message, workers: tuple[int, ...], codec: Codec, n_coordinates: int, server_round: int
) -> tuple[dict[int, np.ndarray], Counter[str]]:
    """Valid rows of one reply by worker id, and the reasons why its other workers have none.

    workers: the ids for which the sender may speak. Every one of them ends up either among the
    rows or in the count: a fault of the reply costs them all, a fault of a row costs that row.
    Never raises, whatever the reply holds.
    """
    try:
        ids, matrix = _read_rows(reply, workers, codec, n_coordinates, server_round)
    except Malformed as fault:
        return {}, Counter({str(fault): len(workers)})
    except Exception:
        return {}, Counter({"malformed": len(workers)})
    rows: dict[int, np.ndarray] = {}
    dropped: Counter[str] = Counter()
    for worker, row in zip(ids, matrix, strict=True):
        if fault := codec.fault(row, n_coordinates):
            dropped[fault] += 1
        else:
            rows[worker] = row
    if missing := len(workers) - len(ids):
        dropped["missing-row"] += missing
    return rows, dropped


def _read_rows(
    reply: Message, workers: tuple[int, ...], codec: Codec, n_coordinates: int, server_round: int
) -> tuple[list[int], np.ndarray]:
    records = _records(reply, {"updates": ArrayRecord, "workers": ConfigRecord})
    header, arrays = records["workers"], records["updates"]
    ids = header.get("ids")
    if not (
        _holds_only(header, ("ids", "round"))
        and _holds_only(arrays, ("rows",))
        and isinstance(ids, list)
    ):
        raise Malformed("malformed")
    if type(header["round"]) is not int or header["round"] != server_round:
        raise Malformed("wrong-round")
    # Their number first: a million ids are not looked at one by one.
    if not 0 < len(ids) <= len(workers) or any(type(i) is not int for i in ids):
        raise Malformed("malformed")
    if not set(ids) <= set(workers):
        raise Malformed("foreign-worker")
    if len(set(ids)) != len(ids):
        raise Malformed("malformed")
    shape = (len(ids), codec.length(n_coordinates))
    return ids, read_array(arrays["rows"], codec.dtype, shape)


def _records(reply: Message, expected: dict[str, type]) -> dict[str, RecordDict]:
    if reply.has_error():
        raise Malformed("error")
    content = reply.content
    if not _holds_only(content, expected):
        raise Malformed("malformed")
    if any(not isinstance(content[name], kind) for name, kind in expected.items()):
        raise Malformed("malformed")
    return {name: content[name] for name in expected}


def _holds_only(record: Mapping, names: Collection[str]) -> bool:
    """Whether a record holds these names and no other. One of a million names costs no memory."""
    return len(record) == len(names) and all(name in record for name in names)


def read_array(array: Array, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """The payload of a Flower Array as a read-only view, if it is exactly `dtype` and `shape`.

    Trusts neither the Array's own fields nor np.load, which allocates what a header declares. No
    byte of the payload is copied.
    Raises Malformed ("malformed", "wrong-dtype", "wrong-shape").
    """
    usual = _header(dtype, shape)
    is_usual = array.data[: len(usual)] == usual
    start = len(usual) if is_usual else _parsed(array, dtype, shape)
    if len(array.data) - start != int(np.prod(shape)) * dtype.itemsize:
        raise Malformed("wrong-shape")
    return np.frombuffer(array.data, dtype, offset=start).reshape(shape)


@lru_cache(maxsize=16)
def _header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """What NumPy writes before such an array: to compare it is sooner done than to parse one."""
    stream = BytesIO()
    declared = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, declared)
    return stream.getvalue()


def _parsed(array: Array, dtype: np.dtype, shape: tuple[int, ...]) -> int:
    """Where the payload starts, after a header that says the same otherwise. Raises Malformed."""
    stream = BytesIO(array.data[:MAX_HEADER])
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise Malformed("malformed")
        declared = np.lib.format.read_array_header_1_0(stream, max_header_size=MAX_HEADER)
    except ValueError:
        raise Malformed("malformed") from None
    found_shape, fortran_order, found_dtype = declared
    if found_dtype != dtype:
        raise Malformed("wrong-dtype")
    if found_shape != shape or fortran_order:
        raise Malformed("wrong-shape")
    return stream.tell()


def own_array(array: Array) -> np.ndarray:
    """An Array from a sender that is trusted, its own fields too: a read-only view."""
    return read_array(array, np.dtype(array.dtype), tuple(array.shape))
