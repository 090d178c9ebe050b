"""All workers' gradients from one forward and one backward pass."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from signfed.app.task.gradients import Gradients
from signfed.app.task.many import Consume
from signfed.app.task.models.parameters import assign, trainable
from signfed.app.task.models.pure import put
from signfed.app.task.shared.interception import Interception
from signfed.app.task.shared.layout import Layout
from signfed.app.task.shared.shared_pass import NotShared, SharedPass
from signfed.app.task.shared.sink import Sink, columns_of
from signfed.strategies.ops.threads import cores, one_thread

SinkOf = Callable[[Mapping[nn.Parameter, slice]], Sink]

SAMPLES_AT_ONCE = 256  # on a CPU: their activations should stay in its caches


@dataclass(frozen=True, eq=False)
class Batches:
    """What some workers compute on, one worker's samples after another's.

    Attributes
    ----------
    workers : tuple of int
    server_round : int
    layout : Layout
    x, y : Tensor
        Network input and labels of all samples.
    masks : list of Tensor
        One for each dropout.
    """

    workers: tuple[int, ...]
    server_round: int
    layout: Layout
    x: Tensor
    y: Tensor
    masks: list[Tensor]


class SharedGradients:
    """The gradients of several workers, who all hold the same parameters.

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
        one. All of them on a GPU by default, 256 on a CPU, whatever the number of cores.
    """

    def __init__(
        self, gradients: Gradients, *, each_input: bool = False, samples: int | None = None
    ) -> None:
        if gradients.local.count > 1:
            raise NotShared("local steps: after the first one each worker has its own model")
        self._gradients, self._each_input = gradients, each_input
        self.on_cpu = gradients.device.type == "cpu"
        self.samples = samples or (SAMPLES_AT_ONCE if self.on_cpu else None)
        self.channels_last = not self.on_cpu and gradients.precision_name != "float32"
        self.norms_at_once = not self.on_cpu
        self._n = sum(parameter.numel() for parameter in trainable(gradients.model))
        self._of_thread = threading.local()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def __call__(
        self, parameters: np.ndarray | Tensor, workers: Sequence[int], server_round: int
    ) -> Tensor:
        """Compute the gradients of these workers in the round.

        Parameters
        ----------
        parameters : ndarray or Tensor
            float32 [N].
        workers : sequence of int
            Whose gradients.
        server_round : int
            From 1.

        Returns
        -------
        Tensor
            float32 [len(workers), N], on the data's device.

        Raises
        ------
        NotShared
            When the network does something that has no such form.
        """
        flat = self._flat(parameters)
        out = torch.empty((len(workers), self._n), device=flat.device, dtype=flat.dtype)

        def run(rows: slice) -> None:
            batches = self.batches(workers[rows], server_round)
            self.backward(flat, batches, lambda columns: Sink(columns, rows, out=out))

        self._each(run, self._chunks(workers))
        return out

    def hand_over(
        self,
        parameters: np.ndarray | Tensor,
        workers: Sequence[int],
        server_round: int,
        consume: Consume,
    ) -> None:
        """Compute the same; hand over a parameter of some workers at a time, the last layer first.

        Parameters
        ----------
        parameters, workers, server_round
            As for a call.
        consume : callable
            Called by one thread at a time.

        Raises
        ------
        NotShared
            As for a call.
        """
        flat = self._flat(parameters)

        def one_at_a_time(rows: slice, columns: slice, block: Tensor) -> None:
            with self._lock:
                consume(rows, columns, block)

        def run(rows: slice) -> None:
            batches = self.batches(workers[rows], server_round)
            self.backward(flat, batches, lambda columns: Sink(columns, rows, one_at_a_time))

        self._each(run, self._chunks(workers))

    def batches(self, workers: Sequence[int], server_round: int) -> Batches:
        """Draw the batches of these workers in the round, and put them into one.

        Parameters
        ----------
        workers : sequence of int
        server_round : int
        """
        of = self._gradients
        sizes = tuple(of.batch_sizes[worker] for worker in workers)
        ids = [of.batch(worker, server_round) for worker in workers]
        changes = [of.changes(worker, server_round) for worker in workers]
        drawn = [change for change in changes if change is not None]
        if self._each_input:
            samples = zip(*map(of.samples, ids, changes), strict=True)
            x, y = (torch.cat(part) for part in samples)
        else:
            x, y = of.samples(np.concatenate(ids), np.concatenate(drawn) if drawn else None)
        by_dropout = zip(*(of.masks(worker, server_round) for worker in workers), strict=True)
        masks = [torch.from_numpy(np.concatenate(mask)).to(x.device) for mask in by_dropout]
        return Batches(tuple(workers), server_round, Layout(sizes), x, y, masks)

    def scores(self, flat: Tensor, batches: Batches, sink: Sink, model: nn.Module) -> Tensor:
        """Return the network's scores of all samples; their backward pass fills the sink.

        Parameters
        ----------
        flat : Tensor [N]
            The parameters, which become those of the model.
        batches : Batches
        sink : Sink
        model : nn.Module
            A copy of the network.

        Raises
        ------
        NotShared
            When there is not one row of scores for each sample.
        """
        put(model, batches.masks)
        of = SharedPass(batches.layout, sink, self.channels_last, self.norms_at_once)
        with Interception(of) as seen:
            scores = model(batches.x)
        if scores.shape[:1] != batches.y.shape:
            raise NotShared(f"scores of shape {list(scores.shape)} for {len(batches.y)} samples")
        self._of_thread.unknown = seen.unknown
        return scores

    def backward(self, flat: Tensor, batches: Batches, sink_of: SinkOf) -> None:
        """Fill a sink with the gradients of these batches.

        Parameters
        ----------
        flat : Tensor [N]
        batches : Batches
        sink_of : callable
            Trained parameters -> the sink.

        Raises
        ------
        NotShared
            When a parameter was used in a way that has no such form.
        """
        model = self.own_model()
        assign(model, flat.clone())  # a model may write into it
        columns = columns_of(trainable(model))
        sink = sink_of(columns)
        loss = self._loss(self.scores(flat, batches, sink, model), batches)
        # The forms above hand their gradients to the sink and none to autograd. What autograd finds
        # all the same went another way, which is thereby known for certain.
        left = torch.autograd.grad(loss, list(columns), allow_unused=True)
        if any(gradient is not None for gradient in left):
            raise NotShared(_used_otherwise(model, columns, left, self._of_thread.unknown))
        sink.finish()

    def own_model(self) -> nn.Module:
        """Return this thread's copy of the network."""
        if not hasattr(self._of_thread, "model"):
            self._of_thread.model = copy.deepcopy(self._gradients.model)
        return self._of_thread.model

    def _loss(self, scores: Tensor, batches: Batches) -> Tensor:
        """The sum of the workers' mean losses."""
        of, layout = self._gradients, batches.layout
        if of.loss is cross_entropy and layout.equal:
            return cross_entropy(scores, batches.y, reduction="sum") / layout.sizes[0]
        parts = zip(
            batches.workers, layout.split(scores), layout.split(batches.y), strict=True
        )  # fmt: skip
        return torch.stack(
            [of.mean_loss(part, y, worker, batches.server_round) for worker, part, y in parts]
        ).sum()

    def _flat(self, parameters: np.ndarray | Tensor) -> Tensor:
        return torch.as_tensor(parameters, device=self._gradients.device)

    def _chunks(self, workers: Sequence[int]) -> list[slice]:
        sizes = [self._gradients.batch_sizes[worker] for worker in workers]
        return chunks(sizes, self.samples)

    def _each(self, run: Callable[[slice], None], rows: Sequence[slice]) -> None:
        """On a CPU one chunk a core, each with one thread: their number changes no bit."""

        def alone(each: slice) -> None:
            with one_thread(), self._gradients.precision():
                run(each)

        if not self.on_cpu or len(rows) == 1:
            for each in rows:
                alone(each)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(
                cores(), initializer=torch.set_num_threads, initargs=(1,)
            )
        list(self._pool.map(alone, rows))


def chunks(sizes: Sequence[int], most: int | None) -> list[slice]:
    """Return runs of workers with together at most so many samples, and at least one worker.

    Parameters
    ----------
    sizes : sequence of int
        Samples of each worker.
    most : int, optional
        None: no limit.

    Examples
    --------
    >>> chunks([2, 2, 2, 9, 1], 5)
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None), slice(4, 5, None)]
    """
    found, start, held = [], 0, 0
    for i, size in enumerate(sizes):
        if most is not None and i > start and held + size > most:
            found.append(slice(start, i))
            start, held = i, 0
        held += size
    return [*found, slice(start, len(sizes))]


def _used_otherwise(
    model: nn.Module,
    columns: Iterable[nn.Parameter],
    left: Sequence[Tensor | None],
    unknown: Sequence[str],
) -> str:
    """Which parameters were used in a way that has no shared form, and by what."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    used = [names[p] for p, found in zip(columns, left, strict=True) if found is not None]
    others = f" and {len(used) - 3} more" if len(used) > 3 else ""
    by = f" by {', '.join(dict.fromkeys(unknown))}" if unknown else ""
    return f"{', '.join(used[:3])}{others}: used{by}, which has no form for all workers at once"
