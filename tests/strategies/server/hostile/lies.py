"""Random replies for the fuzz: an honest one after some changes, drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from hypothesis import strategies as st

from tests.strategies.server.hostile.payloads import spelled
from tests.strategies.server.hostile.server import ROUND, Server

LARGE = bytes(2 << 20)  # twice what a round may take
HONEST = {"updates": "rows", "workers": "header"}  # name of a record -> its kind


@dataclass
class Draft:
    """A reply in the making; `message` builds it."""

    server: Server
    data: bytes
    fields: tuple[str, tuple[int, ...], str]
    header: dict[str, object]
    records: dict[str, str] = field(default_factory=lambda: dict(HONEST))
    arrays: list[str] = field(default_factory=lambda: ["rows"])
    metadata: dict[str, object] = field(default_factory=dict)
    error: Error | None = None

    def message(self) -> Message:
        content = RecordDict({name: self._record(kind) for name, kind in self.records.items()})
        message = Message(content, metadata=_copied(self.server.honest.metadata, self.metadata))
        if self.error is not None:
            message = Message(self.error, metadata=message.metadata)
        return message

    def _record(self, kind: str) -> ArrayRecord | ConfigRecord | MetricRecord:
        return {
            "rows": lambda: ArrayRecord({n: Array(*self.fields, self.data) for n in self.arrays}),
            "header": lambda: ConfigRecord(self.header),
            "config": lambda: ConfigRecord({"num-examples": 10**9, "data": self.data}),
            "metric": lambda: MetricRecord({"num-examples": float("nan")}),
            "empty": ArrayRecord,
        }[kind]()


def _copied(metadata: object, changed: dict[str, object]) -> object:
    copy = object.__new__(type(metadata))
    copy.__dict__.update(metadata.__dict__ | changed)
    return copy


def draft(server: Server) -> Draft:
    """The honest reply."""
    array = server.honest.content["updates"]["rows"]
    return Draft(
        server, array.data, (array.dtype, array.shape, array.stype), {"ids": [0, 2], "round": ROUND}
    )


Change = Callable[[Draft], None]

# Drawn from tables and in few draws, most of a case's time being hypothesis's.
_SIZES = (0, 1, 2, 13, -1, 2**31, 2**32, 2**63, 2**64, 10**30)
SHAPES = st.sampled_from(
    [None, None, (), *((a,) for a in _SIZES), *((a, b) for a in _SIZES for b in _SIZES), (1,) * 40]
)
DESCRS = st.none() | st.sampled_from(
    [
        *map(repr, ("<f4", ">f4", "=f4", "f4", "|u1", "|i1", "|b1", "<f8", "<f2", "<u2", "<c8")),
        *map(repr, ("|O", "|S4", "<U9", "|V8", "<M8[s]", "<f4\\n", "\\x00", "," * 99, "", "zz")),
        *map(repr, ("f4,f4", "(2,3)<f4", "(2147483647,2147483647)|u1", "|V2147483647", "float32")),
        "[('a', '<f4')]", "[('a', '<f4', (2, 2))]", "[]", "None", "1", "('<f4', 3)", "b'<f4'",
    ]
)  # fmt: skip
EXPRESSIONS = st.sampled_from(
    [
        "-" * 900, "[" * 900, "(" * 90, "{" * 99, "9" * 900, "0x" + "f" * 900, "'" * 3,
        "not " * 200, "1j+" * 200 + "1j", "{'descr': '<f4'}", "{}", "[]", "\\", "1_0", "1e999",
        "lambda: 0", "__import__('os')", "1 if 2else 3", "'\\z'", "{1: 2, **{}}", "*a", "\x00",
        "\x93NUMPY",
    ]
)  # fmt: skip
VALUES = st.sampled_from(
    [
        0, 2, 3, -1, 2**62, -(2**63), True, 0.0, 3.0, float("nan"), float("inf"), "", "0", b"",
        b"\0", [], [0], [2], [0, 2], [2, 0], [0, 0], [0, 1], [1, 3], [0, 2, 0], [-1], [4],
        [2**62, 0], [0.0, 2.0], [True, False], ["0", "2"], [b"0"], [""] * 99, list(range(999)),
    ]
) | st.lists(st.integers(-1, 4), max_size=4)  # fmt: skip
NAMES = st.sampled_from(["updates", "workers", "metrics", "rows", "", "\x00", "x" * 999])
KINDS = st.sampled_from(["rows", "header", "config", "metric", "empty"])
MATERIAL = st.binary(min_size=8, max_size=8)
PATTERNS = (b"\0\0\x80\x7f", b"\0\0\x80\xff", b"\1\0\x80\x7f", b"\1\0\0\0", b"\xff\xff\x7f\x7f")


def _flip(material: bytes) -> Change:
    """Bits of up to two bytes of the array, header included."""

    def flip(d: Draft) -> None:
        data = bytearray(d.data)
        for at, mask in ((material[0:3], material[3]), (material[4:7], material[7])):
            if data:
                data[int.from_bytes(at) % min(len(data), 512)] ^= mask
        d.data = bytes(data)

    return flip


def _enlarge(d: Draft) -> None:
    """An array much larger than what was asked for."""
    d.data += LARGE


def _cut(material: bytes) -> Change:
    """Some bytes replaced by others, by none, or the rest cut off."""
    start, length, new = int.from_bytes(material[:2]), material[2] % 16, material[4:]

    def cut(d: Draft) -> None:
        at = start % (len(d.data) + 1)
        end = len(d.data) if length == 15 else at + length
        d.data = d.data[:at] + new[: material[3] % 5] + d.data[end:]

    return cut


def _fill(material: bytes) -> Change:
    """Rows of the right form with a pattern of four bytes from some place on."""
    pattern = PATTERNS[material[0] % 5] if material[0] < 128 else material[4:]

    def fill(d: Draft) -> None:
        first = min(128 + int.from_bytes(material[1:3]) % max(1, len(d.data) - 128), len(d.data))
        size = len(d.data) - first
        d.data = d.data[:first] + (pattern * (size // 4 + 1))[:size]

    return fill


def _declare(
    descr: str | None, shape: tuple[int, ...] | None, order: str, payload: int | None
) -> Change:
    """Another header, and another length behind it; None: the honest one's."""

    def declare(d: Draft) -> None:
        kind, size = descr or repr(d.server.codec.dtype.str), shape or d.fields[1]
        text = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {size}}}"
        d.data = spelled(text, d.data[128:] if payload is None else bytes(payload))

    return declare


def _set(name: str, values: st.SearchStrategy) -> st.SearchStrategy[Change]:
    return values.map(lambda value: lambda d: setattr(d, name, value))


def _put(name: str, keys: st.SearchStrategy, values: st.SearchStrategy) -> st.SearchStrategy:
    return st.tuples(keys, values).map(lambda item: lambda d: getattr(d, name).update([item]))


def _leave_out(name: str, keys: list[str]) -> st.SearchStrategy[Change]:
    return st.sampled_from(keys).map(lambda key: lambda d: getattr(d, name).pop(key, None))


CHANGES: st.SearchStrategy[Change] = st.one_of(
    MATERIAL.map(_flip),
    MATERIAL.map(_cut),
    MATERIAL.map(_fill),
    st.builds(
        _declare, DESCRS, SHAPES, st.sampled_from(["False", "False", "True", "0", "None"]),
        st.sampled_from([None, None, 0, 8, 26, 104]),
    ),
    EXPRESSIONS.map(lambda text: lambda d: setattr(d, "data", spelled(text))),
    _set("data", st.binary(max_size=200)),
    st.just(_enlarge),
    _set("fields", st.tuples(st.text(max_size=3), SHAPES.map(lambda s: s or ()), st.just("?"))),
    _put("header", st.sampled_from(["ids", "ids", "round", "round", "non-finite", ""]), VALUES),
    _leave_out("header", ["ids", "round"]),
    _put("records", NAMES, KINDS),
    _leave_out("records", ["updates", "workers"]),
    _set("arrays", st.lists(NAMES, max_size=2, unique=True)),
    _put("metadata", st.just("_src_node_id"), st.integers(99, 102) | st.integers(0, 2**64 - 1)),
    _put("metadata", st.just("_reply_to_message_id"), st.sampled_from(["to 101", "", "to 7"])),
    _set("error", st.builds(Error, st.integers(-1, 9), st.text(max_size=3) | st.none())),
)  # fmt: skip

# What becomes of the honest reply: one to three changes, one after the other.
LIES = st.tuples(CHANGES) | st.tuples(CHANGES, CHANGES) | st.tuples(CHANGES, CHANGES, CHANGES)
