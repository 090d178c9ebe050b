"""Random replies for the fuzz: an honest one after some changes, drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from hypothesis import strategies as st

from tests.hostile.payloads import spelled
from tests.hostile.server import ROUND, Server

LARGE = bytes(16 << 20)


@dataclass
class Draft:
    """A reply in the making; `message` builds it."""

    server: Server
    data: bytes
    fields: tuple[str, tuple[int, ...], str]
    header: dict[str, object]
    records: dict[str, str] = field(default_factory=lambda: dict(updates="rows", workers="header"))
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

SIZES = st.sampled_from([0, 1, 2, 3, -1, 13, 2**31, 2**32, 2**63, 2**64, 10**30])
SHAPES = st.lists(SIZES, max_size=4).map(tuple)
DESCRS = st.sampled_from(
    ["<f4", ">f4", "|u1", "|i1", "|b1", "<f8", "<f2", "<u2", "<c8", "|O", "|S4", "<U9", "|V8"]
    + ["<M8[s]", "f4,f4", "(2,3)<f4", "(2147483647,2147483647)|u1", "|V2147483647", "float32"]
    + ["=f4", "", "zz", "<f4\\n", "\\x00", "," * 99]
).map(repr) | st.sampled_from(
    ["[('a', '<f4')]", "[('a', '<f4', (2, 2))]", "[]", "None", "1", "('<f4', 3)", "{}", "b'<f4'"]
)  # fmt: skip
EXPRESSIONS = st.sampled_from(
    ["-" * 900, "[" * 900, "(" * 90, "{" * 99, "9" * 900, "1e999", "0x" + "f" * 900, "'" * 3]
    + ["{'descr': '<f4'}", "{}", "[]", "\\", "1_0", "not " * 200, "lambda: 0", "__import__('os')"]
    + ["1 if 2else 3", "'\\z'", "1j+" * 200 + "1j", "{1: 2, **{}}", "*a", "\x00", "\x93NUMPY"]
)  # fmt: skip
SCALARS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans(), st.text(max_size=4),
    st.binary(max_size=4),
)  # fmt: skip
LISTS = st.one_of(
    st.lists(st.integers(-1, 4), max_size=4), st.lists(st.floats(), max_size=3),
    st.lists(st.text(max_size=2), max_size=3), st.lists(st.booleans(), max_size=3),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
)  # fmt: skip
NAMES = st.sampled_from(["updates", "workers", "metrics", "rows", "", "\x00", "x" * 999])


@st.composite
def _bits(draw: st.DrawFn) -> Change:
    at = draw(st.lists(st.tuples(st.integers(0, 2**16), st.integers(1, 255)), max_size=3))

    def flip(d: Draft) -> None:
        data = bytearray(d.data)
        for position, mask in at if data else []:
            data[position % len(data)] ^= mask
        d.data = bytes(data)

    return flip


@st.composite
def _cut(draw: st.DrawFn) -> Change:
    """Part of the bytes replaced by others, or by none."""
    start, length = draw(st.integers(0, 2**13)), draw(st.integers(0, 9) | st.just(2**20))
    new = draw(st.binary(max_size=9))

    def cut(d: Draft) -> None:
        at = start % (len(d.data) + 1)
        d.data = d.data[:at] + new + d.data[at + length :]

    return cut


@st.composite
def _values(draw: st.DrawFn) -> Change:
    """Other values in rows of the right form: a pattern of four bytes, repeated."""
    pattern = draw(st.binary(min_size=4, max_size=4) | st.sampled_from(
        [b"\0\0\x80\x7f", b"\0\0\x80\xff", b"\x01\0\x80\x7f", b"\1\0\0\0", b"\xff\xff\x7f\x7f"]
    ))  # fmt: skip
    start = draw(st.integers(0, 2**13))

    def fill(d: Draft) -> None:
        first = min(128 + start % max(1, len(d.data) - 128), len(d.data))
        size = len(d.data) - first
        d.data = d.data[:first] + (pattern * (size // 4 + 1))[:size]

    return fill


@st.composite
def _header(draw: st.DrawFn) -> Change:
    descr, shape = draw(DESCRS), draw(SHAPES | st.none())
    order = draw(st.sampled_from(["False", "True", "0", "None"]))
    payload = draw(st.sampled_from([0, 8, 26, 104, None]))

    def write(d: Draft) -> None:
        text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape or d.fields[1]}}}"
        d.data = spelled(text, d.data[128:] if payload is None else bytes(payload))

    return write


def _set(name: str, values: st.SearchStrategy) -> st.SearchStrategy[Change]:
    return values.map(lambda value: lambda d: setattr(d, name, value))


def _put(name: str, keys: st.SearchStrategy, values: st.SearchStrategy) -> st.SearchStrategy:
    return st.tuples(keys, values).map(lambda item: lambda d: getattr(d, name).update([item]))


def _leave_out(name: str, keys: list[str]) -> st.SearchStrategy[Change]:
    return st.sampled_from(keys).map(lambda key: lambda d: getattr(d, name).pop(key, None))


KINDS = st.sampled_from(["rows", "header", "config", "metric", "empty"])
CHANGES: st.SearchStrategy[Change] = st.one_of(
    _bits(),
    _cut(),
    _values(),
    _header(),
    EXPRESSIONS.map(lambda text: lambda d: setattr(d, "data", spelled(text))),
    _set("data", st.binary(max_size=200) | st.just(LARGE)),
    _set("fields", st.tuples(st.text(max_size=9), SHAPES, st.text(max_size=9))),
    _put("header", st.sampled_from(["ids", "round", "weight", ""]), SCALARS | LISTS),
    _put("header", st.just("ids"), st.lists(st.sampled_from([0, 2]), max_size=3)),
    _leave_out("header", ["ids", "round"]),
    _put("records", NAMES, KINDS),
    _leave_out("records", ["updates", "workers"]),
    _set("arrays", st.lists(NAMES, max_size=3, unique=True)),
    _put("metadata", st.just("_src_node_id"), st.integers(99, 102) | st.integers(0, 2**64 - 1)),
    _put("metadata", st.just("_reply_to_message_id"), st.sampled_from(["to 101", "", "to 7"])),
    _set("error", st.builds(Error, st.integers(-1, 9), st.text(max_size=9) | st.none())),
)  # fmt: skip

# What one reply of the hostile node consists of: changes to the honest one, one after the other.
LIES = st.lists(CHANGES, min_size=1, max_size=3)
