"""One forward and one backward pass of several workers' samples."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from signfed.app.task.gradients import Gradients
from signfed.app.task.models.parameters import assign, trainable
from signfed.app.task.models.pure import put
from signfed.app.task.shared.batches import Batches, summed_loss
from signfed.app.task.shared.interception import Interception
from signfed.app.task.shared.shared_pass import NotShared, SharedPass
from signfed.app.task.shared.sink import Sink, columns_of

SinkOf = Callable[[Mapping[nn.Parameter, slice]], Sink]


class OnePass:
    """Pass batches through a network. Threads may do so side by side, each on a copy of it.

    Parameters
    ----------
    gradients : Gradients
        Whose network and loss.
    channels_last : bool
        Whether convolutions of images compute with channels last.
    at_once : bool
        Whether batch norm and small convolutions take all workers' sums in one call.
    """

    def __init__(self, gradients: Gradients, channels_last: bool, at_once: bool) -> None:
        self._gradients = gradients
        self.channels_last, self.at_once = channels_last, at_once
        self._of_thread = threading.local()

    def scores(self, batches: Batches, sink: Sink, model: nn.Module) -> tuple[Tensor, list[str]]:
        """Return the network's scores of all samples, whose backward pass fills the sink.

        Parameters
        ----------
        batches : Batches
        sink : Sink
        model : nn.Module
            A copy of the network, with the parameters.

        Returns
        -------
        scores : Tensor [total, C]
        unknown : list of str
            Functions of parameters that have no shared form.

        Raises
        ------
        NotShared
            When there is not one row of scores for each sample.
        """
        put(model, batches.masks)
        of = SharedPass(batches.layout, sink, self.channels_last, self.at_once)
        with Interception(of) as seen:
            scores = model(batches.x)
        if scores.shape[:1] != batches.y.shape:
            raise NotShared(f"scores of shape {list(scores.shape)} for {len(batches.y)} samples")
        return scores, seen.unknown

    def own_model(self) -> nn.Module:
        """Return this thread's copy of the network."""
        if not hasattr(self._of_thread, "model"):
            self._of_thread.model = copy.deepcopy(self._gradients.model)
        return self._of_thread.model

    def backward(self, flat: Tensor, batches: Batches, sink_of: SinkOf) -> None:
        """Fill a sink with the gradients of these batches.

        Parameters
        ----------
        flat : Tensor [N]
            The parameters.
        batches : Batches
        sink_of : callable
            Trained parameters, with their places -> the sink.

        Raises
        ------
        NotShared
            When a parameter is used in a way that has no shared form.
        """
        model = self.own_model()
        assign(model, flat.clone())  # a model may write into it
        columns = columns_of(trainable(model))
        sink = sink_of(columns)
        scores, unknown = self.scores(batches, sink, model)
        # The forms hand their gradients to the sink and none to autograd. What autograd finds for a
        # parameter all the same went another way, which is thereby known for certain.
        loss = summed_loss(self._gradients, scores, batches)
        left = torch.autograd.grad(loss, list(columns), allow_unused=True)
        if any(gradient is not None for gradient in left):
            raise NotShared(_used_otherwise(model, columns, left, unknown))
        sink.finish()


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
