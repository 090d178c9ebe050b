"""What is drawn for a worker in a round: its batch, what augments it, the masks of dropouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from signfed.app.task.datasets.dataset import Dataset
from signfed.app.task.models.pure import draw_masks
from signfed.app.task.partitions import Shards
from signfed.app.task.streams import generators, starts
from signfed.strategies.core.seeds import generator

What = Literal["batch", "changes", "masks"]
PURPOSES: dict[What, str] = {"batch": "batch", "changes": "augment", "masks": "dropout"}


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
        return self._drawn("batch", worker, *at)

    def changes(self, worker: int, *at: int) -> np.ndarray | None:
        """Return what augments the worker's batch, [batch_size, k]; None where nothing does.

        Parameters
        ----------
        worker, *at : int
            As for `batch`.
        """
        return None if self._augment is None else self._drawn("changes", worker, *at)

    def masks(self, worker: int, *at: int) -> list[np.ndarray]:
        """Return one for each dropout of the model, float32 [batch_size, ...].

        Parameters
        ----------
        worker, *at : int
            As for `batch`.
        """
        return self._drawn("masks", worker, *at) if self._rates else []

    def of_all(self, what: What, workers: Sequence[int], *at: int) -> list[Any]:
        """Return a kind of draws for each of these workers, as a call for each would.

        Parameters
        ----------
        what : {"batch", "changes", "masks"}
            The method that a call would be of.
        workers : sequence of int
            Whose draws.
        *at : int
            As for `batch`, without the worker.
        """
        if what == "changes" and self._augment is None:
            return [None for _ in workers]
        if what == "masks" and not self._rates:
            return [[] for _ in workers]
        draws = generators(self._seed, PURPOSES[what], workers, *at)
        return [self._draw(what, *each) for each in zip(workers, draws, strict=True)]

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
        return starts(self._seed, PURPOSES["masks"], workers, *at)

    def draw_ahead(self, workers: Sequence[int], server_round: int) -> None:
        """Draw now what a round will ask for, while a device computes the one before it.

        Parameters
        ----------
        workers : sequence of int
            Those of the round.
        server_round : int
            Its number. What was drawn for another round, and not asked for, is forgotten.
        """
        self._ahead = {
            (what, worker, server_round): found
            for what in PURPOSES
            for worker, found in zip(workers, self.of_all(what, workers, server_round), strict=True)
        }

    def _drawn(self, what: What, worker: int, *at: int) -> Any:
        """What was drawn ahead, or is now."""
        if (found := self._ahead.pop((what, worker, *at), None)) is not None:
            return found
        return self._draw(what, worker, generator(self._seed, PURPOSES[what], worker, *at))

    def _draw(self, what: What, worker: int, draws: np.random.Generator) -> Any:
        size = self.batch_sizes[worker]
        if what == "batch":
            shard = self._shards[worker]
            return shard[draws.choice(len(shard), size, replace=False)]
        if what == "masks":
            return draw_masks(self._rates, self._mask_shapes, size, draws)
        assert self._augment is not None
        return self._augment.draw(draws, size)
