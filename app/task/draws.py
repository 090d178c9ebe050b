"""What is drawn for a worker in a round: its batch, what augments it, the masks of dropouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from signfed.app.task.datasets.dataset import Dataset
from signfed.app.task.models.pure import draw_masks
from signfed.app.task.partitions import Shards
from signfed.strategies.core.seeds import generator


class Draws:
    """Draws that are functions of (seed, worker, round, local step), made on the CPU.

    Parameters
    ----------
    data : Dataset
        Which may say how batches are augmented.
    shards : sequence of ndarray
        int64 sample ids, by worker.
    batch_size : int or sequence of int
        Of all, or of each worker; a worker that holds fewer takes all that it has.
    seed : int
    rates : sequence of float
        Share of zeros of each dropout.

    Attributes
    ----------
    batch_sizes : tuple of int
        By worker.
    """

    def __init__(
        self,
        data: Dataset,
        shards: Shards,
        batch_size: int | Sequence[int],
        seed: int,
        rates: Sequence[float],
    ) -> None:
        self._augment, self._shards, self._seed = data.augment, shards, seed
        asked = [batch_size] * len(shards) if isinstance(batch_size, int) else batch_size
        held = map(len, shards)
        self.batch_sizes = tuple(min(pair) for pair in zip(asked, held, strict=True))
        self._rates = list(rates)
        self._mask_shapes: list[tuple[int, ...]] = []  # of a sample, where there are rates
        self._ahead: dict[tuple[str | int, ...], Any] = {}

    def batch(self, worker: int, *at: int) -> np.ndarray:
        """Return the ids of the worker's samples in the round, int64 [batch_size].

        Parameters
        ----------
        worker : int
            From 0.
        *at : int
            The round, from 1; then the number of the local step, where it is not the first.
        """
        if (found := self._ahead.pop(("batch", worker, *at), None)) is not None:
            return found
        shard = self._shards[worker]
        draw = generator(self._seed, "batch", worker, *at)
        return shard[draw.choice(len(shard), self.batch_sizes[worker], replace=False)]

    def changes(self, worker: int, *at: int) -> np.ndarray | None:
        """Return what augments the worker's batch, [batch_size, k]; None where nothing does.

        Parameters
        ----------
        worker, *at : int
            As for `batch`.
        """
        if self._augment is None:
            return None
        if (found := self._ahead.pop(("changes", worker, *at), None)) is not None:
            return found
        draws = generator(self._seed, "augment", worker, *at)
        return self._augment.draw(draws, self.batch_sizes[worker])

    def masks(self, worker: int, *at: int) -> list[np.ndarray]:
        """Return one for each dropout of the model, float32 [batch_size, ...].

        Parameters
        ----------
        worker, *at : int
            As for `batch`.
        """
        if not self._rates:
            return []
        if (found := self._ahead.pop(("masks", worker, *at), None)) is not None:
            return found
        draws = generator(self._seed, "dropout", worker, *at)
        return draw_masks(self._rates, self._mask_shapes, self.batch_sizes[worker], draws)

    @property
    def dropouts(self) -> tuple[list[float], list[tuple[int, ...]]]:
        """The share of zeros of each dropout, and the shape of its mask for a sample."""
        return self._rates, self._mask_shapes

    def mask_streams(self, workers: Sequence[int], *at: int) -> np.ndarray:
        """Return what the generators that masks are drawn from start with, int64 [n, 4].

        Parameters
        ----------
        workers : sequence of int
            Whose masks.
        *at : int
            As for `batch`, without the worker.

        Returns
        -------
        ndarray
            State and increment of a PCG64, 128 bits each, the low half first.
        """
        found = []
        for worker in workers:
            state = generator(self._seed, "dropout", worker, *at).bit_generator.state["state"]
            found += [state[name].to_bytes(16, "little") for name in ("state", "inc")]
        return np.frombuffer(bytearray().join(found), "<i8").reshape(-1, 4)

    def draw_ahead(self, workers: Sequence[int], server_round: int) -> None:
        """Draw now what a round will ask for, while a device computes the one before it.

        Parameters
        ----------
        workers : sequence of int
            Those of the round.
        server_round : int
            Its number. What was drawn for another round, and not asked for, is forgotten.
        """
        self._ahead = {}
        found: dict[tuple[str | int, ...], Any] = {}
        for worker in workers:
            for name in ("batch", "changes", "masks"):
                found[name, worker, server_round] = getattr(self, name)(worker, server_round)
        self._ahead = found
