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
        "encoder" (name); "accuracy" (True), where workers are to claim one; the rule's
        instructions; the user's keys.
`train` reply:
    arrays "updates": "rows", [h, L], one row of the codec per worker that has one; not there when
        none has.
    config "workers": "ids", list of h ints; "round" (int); and, where there are such workers,
        "non-finite", the ids of those that send no row since their gradient is not finite.
    metrics "claims", where the request asks for them: "accuracy", a float for each id, of the model
        that was sent, on the worker's own data. It is shown, and decides nothing.
  or, from a node that cannot follow:
    config "replica": "held" (int), the version that it holds, -1 for none.

Nothing in a reply is believed before it is checked, and nothing that it says about its sender is
used: `open_reply` is handed the workers for which that node may speak.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar, cast

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict

from signfed.strategies.core.codecs import Codec
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.server.transport.payload import Malformed as Malformed
from signfed.strategies.server.transport.payload import read_array

Record = TypeVar("Record", ArrayRecord, ConfigRecord)

HELLO = "query.hello"
TRAIN = "train"
CLAIMS, ACCURACY = "claims", "accuracy"
NO_DIGEST: Mapping[str, str] = MappingProxyType({})


def is_from(reply: Message, node: int) -> bool:
    """Tell whether a reply comes from the node that was asked, by the sender that the runtime sets.

    Flower's own errors (node lost, message expired) come from the SuperLink in the node's place.
    """
    return reply.has_error() or reply.metadata.src_node_id == node


def hello(node: int, ttl: float) -> Message:
    """Make the question which partition a node is."""
    return Message(RecordDict(), node, HELLO, ttl=ttl)


def hello_reply(
    request: Message, partition: int, num_partitions: int, digest: Mapping[str, str] = NO_DIGEST
) -> Message:
    """Make the answer to it, with the digests of what the node computes on."""
    claim = {"partition-id": partition, "num-partitions": num_partitions}
    return Message(RecordDict({"node": ConfigRecord({**digest, **claim})}), reply_to=request)


def read_hello_reply(reply: Message) -> tuple[int, int]:
    """Return (partition-id, num-partitions) as claimed. Raises Malformed."""
    if reply.has_error():
        raise Malformed(DropReason.ERROR)
    if not _holds_only(reply.content, ("node",)):
        raise Malformed
    record = _record(reply.content, "node", ConfigRecord)
    partition, num_partitions = record.get("partition-id"), record.get("num-partitions")
    if type(partition) is not int or type(num_partitions) is not int:
        raise Malformed
    return partition, num_partitions


def train(
    nodes: list[int], model: ArrayRecord, server_round: int, config: ConfigRecord, ttl: float
) -> list[Message]:
    """Make one request per node; all share one content. A late node never sees it: it expires."""
    record = ConfigRecord({**config, "round": server_round})
    content = RecordDict({"model": model, "config": record})
    return [Message(content, node, TRAIN, ttl=ttl) for node in nodes]


def read_train(request: Message) -> tuple[ArrayRecord, ConfigRecord]:
    """Return ("model", "config") of a request; a client takes its server at its word."""
    # Not by .array_records: it makes a circle of references, which keeps the model in memory.
    model, config = request.content["model"], request.content["config"]
    return cast(ArrayRecord, model), cast(ConfigRecord, config)


def read_round(config: ConfigRecord) -> int:
    """Return the number of the round that a request is about."""
    server_round = config["round"]
    if not isinstance(server_round, int):
        raise ValueError(f"round: expected a whole number; got {server_round!r}")
    return server_round


def lacking_reply(request: Message, held: int) -> Message:
    """Make the answer of a node that cannot follow, with the version that it holds or -1."""
    return Message(RecordDict({"replica": ConfigRecord({"held": held})}), reply_to=request)


def read_lacking(reply: Message) -> int | None:
    """Return the version that the sender of a `lacking_reply` holds, -1 for none; else None."""
    if reply.has_error() or not _holds_only(reply.content, ("replica",)):
        return None
    record = reply.content["replica"]
    held = record.get("held") if isinstance(record, ConfigRecord) else None
    return held if type(held) is int and held >= 0 else -1


def train_reply(
    request: Message,
    rows: Mapping[int, np.ndarray],
    server_round: int,
    non_finite: Collection[int] = (),
    accuracies: Sequence[float] = (),
) -> Message:
    """Make the answer of a node with rows.

    rows: worker id -> encoded row; all of one dtype and length. non_finite: the other workers,
    whose gradient is not finite. accuracies: what is claimed of the model, one a row.
    """
    header: dict[str, int | list[int]] = {"ids": list(rows), "round": server_round}
    if non_finite:
        header["non-finite"] = list(non_finite)
    content: dict[str, ArrayRecord | ConfigRecord | MetricRecord]
    content = {"workers": ConfigRecord({**header})}
    if accuracies:
        content[CLAIMS] = MetricRecord({ACCURACY: list(accuracies)})
    if rows:
        content["updates"] = ArrayRecord({"rows": Array(np.stack(list(rows.values())))})
    return Message(RecordDict({**content}), reply_to=request)


def open_reply(
    reply: Message, workers: tuple[int, ...], codec: Codec, n_coordinates: int, server_round: int
) -> tuple[dict[int, np.ndarray], dict[int, DropReason]]:
    """Return the valid rows of a reply by worker, and why each other worker has none.

    workers: the ids for which the sender may speak. Every one of them ends up in one of the two: a
    fault of the reply costs them all, a fault of a row costs that row. Never raises, whatever the
    reply holds.
    """
    try:
        ids, non_finite, matrix = _read_rows(reply, workers, codec, n_coordinates, server_round)
    except Malformed as refusal:
        return {}, dict.fromkeys(workers, refusal.reason)
    except Exception:
        return {}, dict.fromkeys(workers, DropReason.MALFORMED)
    rows: dict[int, np.ndarray] = {}
    dropped = dict.fromkeys(workers, DropReason.MISSING_ROW)
    dropped |= dict.fromkeys(non_finite, DropReason.NON_FINITE)
    for worker, row in zip(ids, matrix, strict=True):
        if fault := codec.fault(row, n_coordinates):
            dropped[worker] = fault
        else:
            rows[worker] = row
            del dropped[worker]
    return rows, dropped


def read_accuracies(reply: Message) -> dict[int, float]:
    """Return worker -> the accuracy that it claims, of a reply whose rows are valid.

    What is no claim is left out: it costs nobody a row.
    """
    # Not by .config_records: it makes a circle of references, which keeps the rows in memory.
    workers, record = reply.content["workers"], reply.content.get(CLAIMS)
    ids = workers["ids"] if isinstance(workers, ConfigRecord) else None
    said = record.get(ACCURACY) if isinstance(record, MetricRecord) else None
    if not (isinstance(ids, list) and isinstance(said, list) and len(said) == len(ids)):
        return {}
    pairs = zip(ids, said, strict=True)
    return {i: float(a) for i, a in pairs if isinstance(i, int) and 0 <= float(a) <= 1}


def _read_rows(
    reply: Message, workers: tuple[int, ...], codec: Codec, n_coordinates: int, server_round: int
) -> tuple[list[int], list[int], np.ndarray]:
    """Ids with a row, ids of gradients that are not finite, and the rows. Raises Malformed."""
    if reply.has_error():
        raise Malformed(DropReason.ERROR)
    header = _record(reply.content, "workers", ConfigRecord)
    ids, non_finite = header.get("ids"), header.get("non-finite", [])
    fields = ("ids", "round", "non-finite") if "non-finite" in header else ("ids", "round")
    if not (_holds_only(header, fields) and isinstance(ids, list) and isinstance(non_finite, list)):
        raise Malformed
    records = ("updates", "workers") if ids else ("workers",)
    if not _holds_only(reply.content, (*records, CLAIMS) if CLAIMS in reply.content else records):
        raise Malformed
    arrays = _record(reply.content, "updates", ArrayRecord) if ids else None
    if arrays is not None and not _holds_only(arrays, ("rows",)):
        raise Malformed
    if type(header["round"]) is not int or header["round"] != server_round:
        raise Malformed(DropReason.WRONG_ROUND)
    # Their number first: a million ids are not looked at one by one.
    if not 0 < len(ids) + len(non_finite) <= len(workers):
        raise Malformed
    named = [i for i in (*ids, *non_finite) if type(i) is int]
    if len(named) < len(ids) + len(non_finite):
        raise Malformed
    if not set(named) <= set(workers):
        raise Malformed(DropReason.FOREIGN_WORKER)
    if len(set(named)) != len(named):
        raise Malformed
    shape = (len(ids), codec.length(n_coordinates))
    rows = read_array(arrays["rows"], codec.dtype, shape) if arrays else np.empty(shape)
    return named[: len(ids)], named[len(ids) :], rows


def _record(content: RecordDict, name: str, kind: type[Record]) -> Record:
    """The record of that name and type. Raises Malformed."""
    record = content.get(name)
    if not isinstance(record, kind):
        raise Malformed
    return record


def _holds_only(record: Mapping, names: Collection[str]) -> bool:
    """Whether a record holds these names and no other. One of a million names costs no memory."""
    return len(record) == len(names) and all(name in record for name in names)


def own_array(array: Array) -> np.ndarray:
    """Return an Array from the server as a view, taken at its own word for dtype and shape."""
    return read_array(array, np.dtype(array.dtype), tuple(array.shape))
