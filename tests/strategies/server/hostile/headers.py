"""Faults of our own records: whose rows these are, of which round, and "I lack the model"."""

from __future__ import annotations

from flwr.app import ConfigRecord, Message, MetricRecord

from tests.strategies.server.hostile.turn import Turn


def _shuffled(turn: Turn) -> Message:
    """Ids and rows in reverse order, still row for row."""
    backwards = turn.carries(turn.rows[::-1].copy()).content
    record = turn.claims(ids=turn.beside["ids"][::-1]).content[turn.dialect.beside]
    return turn.says({**backwards, turn.dialect.beside: record})


def _ids(turn: Turn) -> list[int]:
    return turn.beside["ids"]


def _other_than_ids(turn: Turn) -> dict:
    return {name: value for name, value in turn.beside.items() if name != "ids"}


def _lacks(turn: Turn, **fields: object) -> Message:
    return turn.says({"replica": ConfigRecord(fields)})


def _not_finite(turn: Turn, ids: object) -> Message:
    """A reply without rows that names the workers whose gradient is not finite."""
    header = {"ids": [], "round": turn.beside["round"], "non-finite": ids}
    return turn.says({turn.dialect.beside: ConfigRecord(header)})


OWN = {
    "lacks the model, whatever it gets": (lambda t: [_lacks(t, held=-1)], "malformed"),
    "lacks the model, and holds nonsense": (lambda t: [_lacks(t, held="x" * 9)], "malformed"),
    "lacks the model, and holds one to come": (lambda t: [_lacks(t, held=2**62)], "malformed"),
    "lacks the model, and sends rows": (
        lambda t: [t.says({**_lacks(t, held=-1).content, **t.reply.content})],
        "malformed",
    ),
    "lacks the model, then sends rows": (lambda t: [_lacks(t, held=-1), t.reply], "malformed"),
    "another's id": (lambda t: [t.claims(ids=[0, *_ids(t)[1:]])], "foreign-worker"),
    "another's id beside its own": (lambda t: [t.claims(ids=[*_ids(t), 0])], "malformed"),
    "an id beyond all": (lambda t: [t.claims(ids=[2**62, *_ids(t)[1:]])], "foreign-worker"),
    "a negative id": (lambda t: [t.claims(ids=[-1, *_ids(t)[1:]])], "foreign-worker"),
    "an id twice": (lambda t: [t.claims(ids=_ids(t)[:1] * 2)], "malformed"),
    "all ids twice": (lambda t: [t.claims(ids=_ids(t) * 2)], "malformed"),
    "one of its ids 100,000 times": (lambda t: [t.claims(ids=_ids(t)[:1] * 10**5)], "malformed"),
    "fewer ids than rows": (lambda t: [t.claims(ids=_ids(t)[:-1])], "wrong-shape"),
    "no ids": (lambda t: [t.claims(ids=[])], "malformed"),
    "ids as text": (lambda t: [t.claims(ids=[str(i) for i in _ids(t)])], "malformed"),
    "ids as floats": (lambda t: [t.claims(ids=[float(i) for i in _ids(t)])], "malformed"),
    "ids as booleans": (lambda t: [t.claims(ids=[True for _ in _ids(t)])], "malformed"),
    "ids as bytes": (lambda t: [t.claims(ids=bytes(_ids(t)))], "malformed"),
    "one id, no list": (lambda t: [t.claims(ids=_ids(t)[0])], "malformed"),
    "another round": (lambda t: [t.claims(round=t.beside["round"] + 1)], "wrong-round"),
    "a negative round": (lambda t: [t.claims(round=-1)], "wrong-round"),
    "round as a float": (
        lambda t: [t.claims(round=float(t.beside["round"]))],
        "wrong-round",
    ),
    "round as text": (lambda t: [t.claims(round=str(t.beside["round"]))], "wrong-round"),
    "round as a list": (lambda t: [t.claims(round=[t.beside["round"]])], "wrong-round"),
    "an extra field": (lambda t: [t.claims(weight=10**9)], "malformed"),
    "a field renamed": (
        lambda t: [
            t.says(
                {
                    **t.reply.content,
                    t.dialect.beside: type(t.beside)({**_other_than_ids(t), "id": _ids(t)}),
                }
            )
        ],
        "malformed",
    ),
    "a metric in place of the config": (
        lambda t: [
            t.says({**t.reply.content, t.dialect.beside: MetricRecord({**t.beside})})
        ],
        "malformed",
    ),
    "no row, its gradient is not finite": (lambda t: [_not_finite(t, _ids(t))], "non-finite"),
    "not finite, as text": (lambda t: [_not_finite(t, [str(i) for i in _ids(t)])], "malformed"),
    "not finite, no list": (lambda t: [_not_finite(t, _ids(t)[0])], "malformed"),
    "not finite is another's": (lambda t: [_not_finite(t, [0])], "foreign-worker"),
    "not finite twice": (lambda t: [_not_finite(t, _ids(t)[:1] * 2)], "malformed"),
    "not finite, and its rows": (lambda t: [t.claims(**{"non-finite": _ids(t)})], "malformed"),
    "not finite, and an array": (
        lambda t: [t.claims(ids=[], **{"non-finite": _ids(t)})],
        "malformed",
    ),
    "ids and rows in another order": (lambda t: [_shuffled(t)], "honest"),
}  # fmt: skip
