"""Faults of the records around the array: missing, extra, renamed, duplicate, of another type."""

from __future__ import annotations

from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto

from tests.strategies.server.hostile.turn import Turn


def _without(turn: Turn, name: str) -> Message:
    return turn.says({n: record for n, record in turn.reply.content.items() if n != name})


def _renamed(turn: Turn, old: str) -> Message:
    content = turn.reply.content
    return turn.says({"other" if n == old else n: record for n, record in content.items()})


def _with(turn: Turn, **more: object) -> Message:
    return turn.says({**turn.reply.content, **more})


def _arrays(turn: Turn, record: ArrayRecord | ConfigRecord) -> Message:
    return turn.says({**turn.reply.content, turn.dialect.arrays: record})


def _record(turn: Turn) -> ArrayRecord:
    return turn.reply.content[turn.dialect.arrays]


def _array(turn: Turn) -> Array:
    return _record(turn)[turn.dialect.key]


def _with_renamed(turn: Turn) -> ArrayRecord:
    key = turn.dialect.key
    return ArrayRecord({"other" if n == key else n: a for n, a in _record(turn).items()})


def _twice(turn: Turn, right: str) -> Message:
    """The array's record two times under one name, as bytes can have it; the "first" or "last" is
    the honest one, the other one lacks its array."""
    message = recorddict_to_proto(turn.reply.content)
    honest = next(item for item in message.items if item.key == turn.dialect.arrays)
    kept, second = type(honest)(), message.items.add()
    kept.CopyFrom(honest)
    second.CopyFrom(honest)
    (honest if right == "last" else second).array_record.ClearField("items")
    content: RecordDict = recorddict_from_proto(message)
    return turn.says(dict(content))


def _examples(turn: Turn, value: float | list[float]) -> Message:
    """A number of examples: in the metrics that Flower's strategies weigh by, or beside our own."""
    record = turn.reply.content.get("metrics", {})
    return _with(turn, metrics=MetricRecord({**record, "num-examples": value}))


COMMON = {
    "no record": (lambda t: [t.says({})], "malformed"),
    "no record of arrays": (lambda t: [_without(t, t.dialect.arrays)], "malformed"),
    "no record beside it": (lambda t: [_without(t, t.dialect.beside)], "malformed"),
    "record of arrays renamed": (lambda t: [_renamed(t, t.dialect.arrays)], "malformed"),
    "record beside it renamed": (lambda t: [_renamed(t, t.dialect.beside)], "malformed"),
    "an extra config": (lambda t: [_with(t, more=ConfigRecord({"a": 1}))], "malformed"),
    "an extra metric": (lambda t: [_with(t, more=MetricRecord({"a": 1}))], "malformed"),
    "the arrays under two names": (
        lambda t: [_with(t, more=t.reply.content[t.dialect.arrays])],
        "malformed",
    ),
    "no array": (lambda t: [_arrays(t, ArrayRecord())], "malformed"),
    "array renamed": (lambda t: [_arrays(t, _with_renamed(t))], "malformed"),
    "an extra array": (
        lambda t: [_arrays(t, ArrayRecord({**_record(t), "other": _array(t)}))],
        "malformed",
    ),
    "array as bytes of a config": (
        lambda t: [_arrays(t, ConfigRecord({t.dialect.key: t.rows.tobytes()}))],
        "malformed",
    ),
    "arrays in place of the record beside": (
        lambda t: [_with(t, **{t.dialect.beside: t.reply.content[t.dialect.arrays]})],
        "malformed",
    ),
    "an empty record beside": (
        lambda t: [_with(t, **{t.dialect.beside: type(t.beside)()})],
        "malformed",
    ),
    "a record twice, the last one empty": (lambda t: [_twice(t, right="first")], "malformed"),
    "a record twice, the first one empty": (lambda t: [_twice(t, right="last")], "honest"),
    "a billion examples": (lambda t: [_examples(t, 10**9)], "malformed"),
    "1e308 examples": (lambda t: [_examples(t, 1e308)], "malformed"),
    "no examples": (lambda t: [_examples(t, 0)], "malformed"),
    "minus a billion examples": (lambda t: [_examples(t, -(10**9))], "malformed"),
    "NaN examples": (lambda t: [_examples(t, float("nan"))], "malformed"),
    "infinitely many examples": (lambda t: [_examples(t, float("inf"))], "malformed"),
    "a list of examples": (lambda t: [_examples(t, [64.0, 64.0])], "malformed"),
}
