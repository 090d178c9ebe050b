"""The dialect of another's Flower app: a model of many arrays down, a model or signs up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from logging import getLogger
from sys import getrefcount
from typing import Any

import numpy as np
import torch
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Message,
    MessageType,
    RecordDict,
)

from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.claims import weights
from signfed.strategies.server.nodes import NodeOptions
from signfed.strategies.server.training import Training
from signfed.strategies.server.transport import plain
from signfed.strategies.server.transport.downlink import Lack
from signfed.strategies.server.transport.layout import Layout, still_text
from signfed.strategies.server.transport.payload import Malformed

log = getLogger("signfed")

# References to an array that nobody but its owner holds. The memory of a round's rows is as large
# as everything else together, and fresh memory costs as much as the sums in it; but a rule may have
# kept the rows, or a view of them.
LARGEST = np.finfo(np.float32).max
ALONE = 2


class PlainArrays:
    """Speak as `plain` describes it: a `Dialect`.

    Parameters
    ----------
    training : Training
        Whose model is sent.
    layout : Layout
        The model's arrays.
    beside : mapping
        Values of the arrays beside the vector, by name.
    options : NodeOptions
    signs : bool
        Whether rows are signs.
    lr : float
        The server's learning rate, by which a node takes a step itself.

    Attributes
    ----------
    claims : dict of int to Claim
        What the workers of this round with a valid row say of themselves.
    announced : set of int
        Workers that said, in any round, that they are Byzantine; for reports alone.
    """

    def __init__(
        self,
        training: Training,
        layout: Layout,
        beside: Mapping[str, np.ndarray],
        options: NodeOptions,
        *,
        signs: bool,
        lr: float,
    ) -> None:
        self._training, self._layout, self._options = training, layout, options
        self.signs, self._lr = signs, lr
        self.beside = dict(beside)
        self.claims: dict[int, plain.Claim] = {}
        self.announced: set[int] = set()
        self._brought: dict[int, dict[str, np.ndarray]] = {}  # the arrays beside, by worker
        self._cast: tuple[int, ArrayRecord] | None = None  # the model as it is sent, by version
        self._before: dict[str, np.ndarray] = {}
        self._rows = np.empty((0, layout.n_coordinates), np.float32)
        self._explained: set[str] = set()  # what was logged of replies that were refused
        self._still: set[str] | None = None  # arrays that no reply of the round has changed
        self._place: dict[int, int] = {}  # worker -> its row
        self.bytes_per_worker = sum(form.size * form.stored.itemsize for form in layout.forms)

    def arrays(self) -> ArrayRecord:
        """Return the model, in its own names, shapes and dtypes; made once a version."""
        version = self._training.taken
        if self._cast is None or self._cast[0] != version:
            vector = self._training.parameters.cpu().numpy()
            self._cast = version, self._layout.arrays(vector, self.beside)
        return self._cast[1]

    def is_model(self, arrays: ArrayRecord) -> bool:
        """Tell whether these are the model's arrays: those that were returned, or the same values.

        Parameters
        ----------
        arrays : ArrayRecord
            From the server's user.
        """
        own, layout = self.arrays(), self._layout
        if arrays is own:
            return True
        if set(arrays) != layout.names:
            return False
        try:
            found = layout.arrays(layout.flat(arrays), layout.values(arrays, beside=True))
        except Malformed:
            return False
        return all(found[name].data == own[name].data for name in layout.names)

    def requests(
        self,
        nodes: list[int],
        lack: Lack,
        server_round: int,
        config: Mapping[str, Any],
        ttl: float,
        kind: str = MessageType.TRAIN,
    ) -> list[Message]:
        """One request per node; all share one content."""
        arrays = self.arrays()
        record = ConfigRecord({**config, "server-round": server_round})
        said = {}
        if self.signs:
            said = {plain.OURS: ConfigRecord(self._header(lack, server_round))}
        if lack.steps is not None:
            still = {form.name: arrays[form.name] for form in self._layout.beside}
            arrays = ArrayRecord({plain.DIRECTIONS: Array(lack.steps.numpy()), **still})
        keys = self._options.arrayrecord_key, self._options.configrecord_key
        content = RecordDict({keys[0]: arrays, keys[1]: record, **said})
        return [Message(content, node, kind, ttl=ttl) for node in nodes]

    def expect(self, workers: Collection[int]) -> None:
        """Make ready for the replies of these workers to the model as it is."""
        self._before = self._layout.values(self.arrays())
        # One row for all where they are signs: it is packed before the next one comes.
        self._place = {w: 0 if self.signs else i for i, w in enumerate(sorted(workers))}
        shape = (1 if self.signs else len(workers), self._layout.n_coordinates)
        if self._rows.shape != shape or getrefcount(self._rows) > ALONE:
            self._rows = np.empty(shape, np.float32)
        self.claims, self._brought, self._still = {}, {}, None

    def open_reply(
        self, reply: Message, workers: tuple[int, ...], server_round: int
    ) -> tuple[dict[int, np.ndarray], dict[int, DropReason]]:
        """Check the reply of a node, which is one worker."""
        (worker,) = workers
        try:
            if not reply.has_error() and plain.announces(reply):
                self.announced.add(worker)
            claim = plain.read_metrics(reply, self._options.weighted_by_key)
            arrays = plain.read_arrays(reply)
            update = self._rows[self._place[worker]]
            row = plain.read_row(arrays, self._layout, self._before, update, self.signs)
            self._brought[worker] = plain.read_beside(arrays, self._layout)
            if self.signs and plain.SIGNS not in arrays:
                still = self._layout.unchanged(update)
                self._still = still if self._still is None else self._still & still
        except Malformed as refusal:
            if refusal.detail and refusal.detail not in self._explained:
                self._explained.add(refusal.detail)
                log.warning("%s", refusal.detail)
            return {}, {worker: refusal.reason}
        except Exception:
            return {}, {worker: DropReason.MALFORMED}
        self.claims[worker] = claim
        return {worker: row}, {}

    def read_lacking(self, reply: Message) -> int | None:
        """The version that a node holds which cannot follow; None where it can."""
        return plain.read_lacking(reply)

    def holds(self, reply: Message, version: int) -> bool:
        """Whether the sender keeps this version of the model."""
        return plain.holds(reply, version)

    def updates(self, rows: Mapping[int, np.ndarray], server_round: int) -> Updates:
        """The valid rows of a round, at least one; scaled by trusted numbers of examples."""
        ids, n = sorted(rows), self._layout.n_coordinates
        if self.signs:
            if self._still and (text := still_text(self._still)) not in self._explained:
                self._explained.add(text)
                log.warning("%s", text)
            return Updates.from_rows(rows, SignCodec(), n, server_round)
        matrix = self._rows  # where the rows lie already
        if len(ids) < len(matrix):
            matrix = matrix[[self._place[worker] for worker in ids]]
        if self._options.trust_num_examples:
            said = [float(self.claims[w].metrics[self._options.weighted_by_key]) for w in ids]  # type: ignore[arg-type]
            with np.errstate(over="ignore"):  # of rows at the end of float32's range
                matrix *= weights(said, self._options.examples_cap)[:, None]
            np.clip(matrix, -LARGEST, LARGEST, out=matrix)
        return Updates(torch.tensor(ids), server_round, n, torch.from_numpy(matrix), False)

    def said(self) -> dict[str, dict[str, Any]]:
        """Nothing: the app's own functions may add the claims up (`DropIn`)."""
        return {}

    def settle(self) -> None:
        """Give the arrays beside the vector the lower median of what the valid replies brought."""
        for form in self._layout.beside:
            stacked = np.stack([brought[form.name] for brought in self._brought.values()])
            middle = (len(stacked) - 1) // 2
            self.beside[form.name] = np.asarray(np.sort(stacked, axis=0)[middle])

    def state_dict(self) -> State:
        """Return the arrays beside the vector, as "beside.NAME"."""
        return {f"beside.{n}": torch.from_numpy(np.array(v)) for n, v in self.beside.items()}

    def load_state_dict(self, state: State) -> None:
        """Go on from what `state_dict` returned."""
        self.beside |= {n: state[f"beside.{n}"].numpy() for n in self.beside if state}

    def _header(self, lack: Lack, server_round: int) -> dict[str, Any]:
        names = [form.name for form in self._layout.beside if form.is_float]
        header: dict[str, Any] = {"encoder": "sign", "coordinates": self._layout.n_coordinates}
        header |= {"lr": self._lr, "round": server_round}
        header |= {"version": lack.version, "keep": lack.keep, "beside": names}
        return header | ({} if lack.steps is None else {"digest": lack.digest})
