"""All workers' gradients from one forward and one backward pass."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from signfed.app.task.gradients import Gradients
from signfed.app.task.many import Consume
from signfed.app.task.shared.batches import Batches, chunks, drawn
from signfed.app.task.shared.graph import KEPT, Capture, Replays, captured
from signfed.app.task.shared.one_pass import OnePass
from signfed.app.task.shared.shared_pass import NotShared
from signfed.app.task.shared.sink import Sink
from signfed.strategies.ops.threads import cores, one_thread

SAMPLES_AT_ONCE = 512  # on a CPU, where a larger batch costs memory and gains nothing


class SharedGradients:
    """The gradients of several workers, who all hold the same parameters: `ManyGradients`.

    All samples pass through the network as one batch, and so do the gradients of activations back;
    only a parameter's gradient is summed for each worker by itself, and batch norm takes each
    worker's statistics. With L_w the mean loss of worker w's batch, the backward pass starts from
    L_1 + ... + L_M, whose gradient with respect to the activations of worker w is that of L_w.

    Batches may differ in size. Of several local steps only the first is on shared parameters, so
    there is no such form of them. Sums are taken in another order than one worker at a time takes
    them: values agree to rounding, not to the bit.

    Parameters
    ----------
    gradients : Gradients
        Which gives them one by one.
    each_input : bool
        Whether network input is made for one worker at a time, since a user's function makes it.
    samples : int, optional
        Samples in a batch, at most, but for one worker's that are more. The rest comes in another
        one. All of them on a GPU by default, 512 on a CPU, whatever the number of cores.
    channels_last : bool, optional
        Whether convolutions of images compute so; by default on a GPU, but in float32.
    at_once : bool, optional
        Whether batch norm and small convolutions take all workers' sums in one call; by default on
        a GPU.
    capture : callable, optional
        What makes a CUDA graph of a round; by default on a GPU, with PyTorch's own loss.

    Raises
    ------
    NotShared
        When workers take several local steps.
    """

    def __init__(
        self,
        gradients: Gradients,
        *,
        each_input: bool = False,
        samples: int | None = None,
        channels_last: bool | None = None,
        at_once: bool | None = None,
        capture: Capture | None = None,
    ) -> None:
        if gradients.local.count > 1:
            raise NotShared("after the first local step each worker has a model of its own")
        self.gradients, self._each_input = gradients, each_input
        on_gpu, plain = gradients.device.type != "cpu", gradients.precision_name == "float32"
        self._one_by_one = on_gpu  # passes; on a CPU each core has one
        self.samples = samples if samples or on_gpu else SAMPLES_AT_ONCE
        self.one_pass = OnePass(
            gradients,
            on_gpu and not plain if channels_last is None else channels_last,
            on_gpu if at_once is None else at_once,
        )
        capture = capture or (captured if on_gpu else None)
        same = gradients.loss is cross_entropy  # what a user's loss draws is of one round
        self._replays = Replays(capture) if capture and same else None
        self.whole = 0  # bytes of a matrix that is small enough to be handed over as it is
        self._ahead: dict[tuple[tuple[int, ...], int], Batches] = {}
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def of(self, gradients: Gradients) -> SharedGradients:
        """Return the same way to other gradients of the same workers, without graphs.

        Parameters
        ----------
        gradients : Gradients
        """
        other = SharedGradients(
            gradients, each_input=self._each_input, samples=self.samples,
            channels_last=self.one_pass.channels_last, at_once=self.one_pass.at_once,
        )  # fmt: skip
        other._replays = None
        return other

    def __call__(
        self, parameters: np.ndarray | Tensor, workers: Sequence[int], server_round: int
    ) -> Tensor:
        """Compute the matrix. Raises NotShared for what has no such form in the network."""
        flat = torch.as_tensor(parameters, device=self.gradients.device)
        if replays := self._graphs(workers):
            found = []

            def replay(rows: slice, batches: Batches) -> None:
                given = [flat, batches.x, batches.y, *batches.masks]
                found.append(replays(batches.layout, self._matrix_of(batches), given))

            self._each(replay, workers, server_round)
            return found[0]
        out = torch.empty((len(workers), len(flat)), device=flat.device, dtype=flat.dtype)

        def run(rows: slice, batches: Batches) -> None:
            self.one_pass.backward(flat, batches, lambda columns: Sink(columns, rows, out=out))

        self._each(run, workers, server_round)
        return out

    def hand_over(
        self,
        parameters: np.ndarray | Tensor,
        workers: Sequence[int],
        server_round: int,
        consume: Consume,
    ) -> None:
        """Compute the same; hand over a parameter of some workers at a time, the last layer first.

        A matrix of at most `whole` bytes is handed over as one block where there are graphs: they
        launch its kernels at once, which is worth more than its memory. `consume` is called by one
        thread at a time, not always the same. Blocks may have been handed over before NotShared is
        raised.
        """
        flat = torch.as_tensor(parameters, device=self.gradients.device)
        if 4 * len(workers) * len(flat) <= self.whole and self._graphs(workers):
            matrix = self(flat, workers, server_round)
            return consume(slice(0, len(workers)), slice(0, len(flat)), matrix)

        def one_at_a_time(rows: slice, columns: slice, block: Tensor) -> None:
            with self._lock:
                consume(rows, columns, block)

        def run(rows: slice, batches: Batches) -> None:
            self.one_pass.backward(
                flat, batches, lambda columns: Sink(columns, rows, one_at_a_time)
            )

        self._each(run, workers, server_round)

    def draw_ahead(self, workers: Sequence[int], server_round: int) -> None:
        """Draw the batches and send them to the device; those for another round are forgotten."""
        self._ahead = {}
        with one_thread(), self.gradients.precision():
            for rows in self._passes(workers):
                key = tuple(workers[rows]), server_round
                self._ahead[key] = drawn(self.gradients, *key, each_input=self._each_input)

    def _graphs(self, workers: Sequence[int]) -> Replays | None:
        """None for a round whose graphs could together take more than one pass may."""
        if self._replays is None:
            return None
        sizes = self.gradients.batch_sizes
        everyone = len(workers) == len(sizes)  # so in every round, and one graph is enough
        most = sum(sizes[worker] for worker in workers) * (1 if everyone else KEPT + 1)
        return self._replays if self.samples is None or most <= self.samples else None

    def _matrix_of(self, batches: Batches) -> Callable[..., Tensor]:
        """The gradients of such batches as a function of tensors alone."""

        def matrix(flat: Tensor, x: Tensor, y: Tensor, *masks: Tensor) -> Tensor:
            rows = len(batches.workers)
            out = torch.empty((rows, len(flat)), device=flat.device, dtype=flat.dtype)
            others = replace(batches, x=x, y=y, masks=list(masks))
            self.one_pass.backward(
                flat, others, lambda columns: Sink(columns, slice(0, rows), out=out)
            )
            return out

        return matrix

    def _each(
        self, run: Callable[[slice, Batches], None], workers: Sequence[int], server_round: int
    ) -> None:
        """On a CPU one pass a core, each with one thread: their number changes no bit."""

        def one(rows: slice) -> None:
            with one_thread(), self.gradients.precision():
                key = tuple(workers[rows]), server_round
                if key not in self._ahead:
                    self._ahead[key] = drawn(self.gradients, *key, each_input=self._each_input)
                run(rows, self._ahead.pop(key))

        passes = self._passes(workers)
        if self._one_by_one or len(passes) == 1:
            for rows in passes:
                one(rows)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(
                cores(), initializer=torch.set_num_threads, initargs=(1,)
            )
        list(self._pool.map(one, passes))

    def _passes(self, workers: Sequence[int]) -> list[slice]:
        return chunks([self.gradients.batch_sizes[worker] for worker in workers], self.samples)
