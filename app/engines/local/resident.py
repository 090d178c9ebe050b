"""A round that stays on its device: gradients, attack, packed signs, and what the CPU is owed.

Nothing here waits for the device. Every row is taken for finite; whether it is, is owed, and comes
with the first thing that the round has to know anyway. Where one is not, `RowsBroken` says so then,
and the round is put together again, without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from signfed.app.engines.local.collected import Collected
from signfed.app.engines.local.packing import Packing
from signfed.app.task.many import ManyGradients
from signfed.attacks import Attack, knows
from signfed.clients import Adversary, Memory
from signfed.clients.at_once import rows_at_once
from signfed.strategies.core.codecs import Codec, SignCodec
from signfed.strategies.core.drop_reason import DropReason
from signfed.strategies.core.ledger import Ledger
from signfed.strategies.core.updates import Updates
from signfed.strategies.ops.packed import PackedSigns
from signfed.strategies.ops.upload import uploaded
from signfed.strategies.ops.values import all_finite


class RowsBroken(Exception):
    """Raised by a reading of the ledger: some rows of the round cannot be used.

    Its message is for whoever wrote a rule that did not read in time.

    Parameters
    ----------
    server_round : int
        Number of the round.
    """

    def __init__(self, server_round: int) -> None:
        self.server_round = server_round
        super().__init__(
            f"round {server_round}: expected a rule whose `aggregate` calls `updates.read`, as its "
            "`reads` says; got a step made of rows that are not finite; take `reads` out of it"
        )


@dataclass
class Made:
    """What a round made on the device.

    Attributes
    ----------
    rows : Tensor
        uint8 [n, ceil(N/8)] on a sign channel, else float32 [n, N].
    finite : Tensor, bool [n]
        Of the gradients.
    usable : Tensor, bool [n]
        Of what is sent.
    """

    rows: Tensor
    finite: Tensor
    usable: Tensor


class ResidentRounds:
    """Make the updates of rounds, on the device of the model.

    Parameters
    ----------
    gradients : ManyGradients
        Of all workers at once.
    adversary : Adversary
        Of the run; its attack of a round passes `can_be_at_once`.
    codec : Codec
        Of signs, or of float32.
    ledger : Ledger
        Where the round owes what the CPU will want to know.
    memory_of : callable
        Worker -> what it keeps.
    """

    def __init__(
        self,
        gradients: ManyGradients,
        adversary: Adversary,
        codec: Codec,
        ledger: Ledger,
        memory_of: Callable[[int], Memory],
    ) -> None:
        self._gradients, self._adversary = gradients, adversary
        self._signs = isinstance(codec, SignCodec)
        self._magnitude = codec.magnitude if isinstance(codec, SignCodec) else 1.0
        self._ledger, self._memory_of = ledger, memory_of

    def collect(self, parameters: Tensor, asked: Sequence[int], server_round: int) -> Updates:
        """Return updates in which every worker has a row; whether it is usable is owed.

        Parameters
        ----------
        parameters : Tensor, float32 [N]
            The model of the round.
        asked : sequence of int
            The workers of the round, ascending.
        server_round : int
            Number of the round.

        Notes
        -----
        The ledger's next reading raises RowsBroken where a row is not usable: call `again`.
        """
        _, active = self._adversary.planned(server_round)
        self._before = {worker: dict(self._memory_of(worker)) for worker in active}
        made = self._made(parameters, asked, server_round, None)
        self._last = made, parameters, asked, server_round

        def look(flags: Tensor) -> None:
            if not flags.all():
                raise RowsBroken(server_round)

        self._ledger.owe(torch.stack([made.finite, made.usable]), look)
        return self._updates(made.rows, asked, parameters, server_round, self._ledger)

    def again(self) -> Collected:
        """Return the last round's updates, put together again of the rows that are usable."""
        made, parameters, asked, server_round = self._last
        finite = made.finite.tolist()
        if not all(finite):  # whoever looked at such a row took it for finite
            for worker, memory in self._before.items():
                self._memory_of(worker).clear()
                self._memory_of(worker).update(memory)
            made = self._made(parameters, asked, server_round, finite)
        usable = made.usable.tolist()
        valid = [i for i, fine in enumerate(usable) if fine]
        dropped = {asked[i]: DropReason.NON_FINITE for i, fine in enumerate(usable) if not fine}
        if not valid:
            return None, dropped
        rows, ids = made.rows[valid], [asked[i] for i in valid]
        return self._updates(rows, ids, parameters, server_round, None), dropped

    def _made(
        self, parameters: Tensor, asked: Sequence[int], server_round: int, known: Any
    ) -> Made:
        """known: which gradients are finite; None counts all as finite."""
        attack, active = self._adversary.planned(server_round)
        place = {worker: i for i, worker in enumerate(asked)}
        places = [place[worker] for worker in active]
        kept = self._kept(attack, places)
        floats: Any  # place -> a row, of those that the attack looks at
        if self._signs and kept is not None:
            packing = Packing(len(asked), parameters, kept)
            self._gradients.hand_over(parameters, asked, server_round, packing)
            rows, finite, floats = packing.bits, packing.finite, packing.floats
        else:
            floats = matrix = self._gradients(parameters, asked, server_round)
            finite = all_finite(matrix)
            rows = PackedSigns.pack(matrix).bits if self._signs else matrix
        usable = finite
        if active:
            where = _where(places, rows.device)
            if attack.stage == "message" and self._signs:
                floats = self._signs_of(attack, rows, where, places, len(parameters))
            if knows(attack.knowledge, "omniscient"):
                floats = floats.unbind()  # all rows by one call; of few, each by its own is faster

            def seen(worker: int) -> Tensor:
                row: Tensor = floats[place[worker]]
                usual = known is None or known[place[worker]]
                return row if usual else torch.full_like(row, torch.nan)  # it has nothing to send

            crafted = rows_at_once(
                self._adversary, seen, parameters, server_round, self._memory_of,
                finite=known is None,
            )  # fmt: skip
            usable = finite.clone()
            sendable = (crafted == crafted).all(dim=1) if self._signs else all_finite(crafted)
            usable[where] = sendable
            rows[where] = PackedSigns.pack(crafted).bits if self._signs else crafted
        return Made(rows, finite, usable)

    def _kept(self, attack: Attack, places: Sequence[int]) -> Sequence[int] | None:
        """Whose floats the attack looks at; None for everybody's."""
        if not places or attack.stage == "message":
            return ()
        return None if knows(attack.knowledge, "omniscient") else places

    def _signs_of(
        self, attack: Attack, rows: Tensor, where: slice | Tensor, places: Sequence[int], n: int
    ) -> Any:
        """Place -> the values that the server would decode, of the workers that the attack sees."""
        everyone = knows(attack.knowledge, "omniscient")
        signs = PackedSigns(rows if everyone else rows[where], n).dense()
        signs = signs if self._magnitude == 1 else signs * self._magnitude
        return signs if everyone else dict(zip(places, signs, strict=True))

    def _updates(
        self, rows: Tensor, ids: Sequence[int], parameters: Tensor, server_round: int,
        ledger: Ledger | None,
    ) -> Updates:  # fmt: skip
        return Updates(
            torch.tensor(ids), server_round, len(parameters), rows, self._signs, self._magnitude,
            ledger=ledger,
        )  # fmt: skip


def _where(places: Sequence[int], device: torch.device) -> slice | Tensor:
    """Places as a slice where they follow one another: nothing has to be sent to the device."""
    if places[-1] - places[0] == len(places) - 1:
        return slice(places[0], places[-1] + 1)
    return uploaded(torch.tensor(places), device)
