"""What a federation minimises: where it starts, a worker's gradient, what a model is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from signfed.app.task.many import ManyGradients
from signfed.attacks.core.data import Trigger
from signfed.clients import Poison

Asked = Callable[[int], Sequence[int]]  # server_round -> the workers that it asks


class Problem(Protocol):
    """What a run minimises. Pure in its arguments; parameters are one float32 vector [N]."""

    @property
    def device(self) -> torch.device:
        """Where gradients are computed."""

    @property
    def way(self) -> dict[str, str]:
        """How `batched` chose to compute gradients: "way", "because"; empty before it was asked."""

    @property
    def num_classes(self) -> int | None:
        """Number of classes; None where there are none."""

    @property
    def edges(self) -> tuple[int, ...]:
        """Where the parameter tensors begin and end among the coordinates, from 0 to N."""

    @property
    def sides(self) -> tuple[int, int] | None:
        """Height and width of the samples, where they are images."""

    def initial(self) -> Tensor:
        """Return the parameters of round 1, float32 [N]."""

    def gradient(
        self, parameters: np.ndarray, worker: int, server_round: int, poison: Poison | None = None
    ) -> np.ndarray:
        """Compute the worker's gradient in the round, or what its local steps change.

        Parameters
        ----------
        parameters : ndarray
            float32 [N].
        worker : int
            0 to num_workers - 1.
        server_round : int
            At least 1.
        poison : Poison, optional
            Makes another batch of the worker's.

        Returns
        -------
        ndarray
            float32 [N].
        """

    def truth(self, parameters: np.ndarray) -> np.ndarray:
        """Return the gradient of what is minimised, without a batch's noise: float32 [N]."""

    def reference(self, parameters: np.ndarray, server_round: int) -> np.ndarray:
        """Return the gradient on the samples that the server keeps for itself, float32 [N].

        Parameters
        ----------
        parameters : ndarray, float32 [N]
            The model of the round.
        server_round : int
            Number of the round.
        """

    def batched(self, asked: Asked) -> ManyGradients | None:
        """Return many workers' gradients at once, where the run wants that and the model allows it.

        `way` then says what was chosen.

        Parameters
        ----------
        asked : callable
            server_round -> the workers that it asks.
        """

    def evaluate(self, parameters: Tensor, trigger: Trigger | None = None) -> dict[str, float]:
        """Return test_accuracy in [0, 1] where there is such a thing, and test_loss.

        With samples kept for validation also validation_accuracy on these; where one worker alone
        holds a class, minority_accuracy on its test samples and others_accuracy on all others.

        Parameters
        ----------
        parameters : Tensor, float32 [N]
            The model.
        trigger : Trigger, optional
            Of a backdoor. With it also backdoor_success in [0, 1]: the share of test images of
            other classes that with the trigger are taken for its target.
        """

    @property
    def tested(self) -> bool:
        """Whether `evaluate` has something to go by."""

    def own_accuracy(self, parameters: Tensor, worker: int) -> float:
        """Return a model's accuracy on the samples of a worker, in 0..1; NaN where it has none.

        Parameters
        ----------
        parameters : Tensor, float32 [N]
            The model.
        worker : int
            Whose samples.
        """

    def require_workers(self) -> None:
        """Raise DataMissing where workers' data are not on this machine: it cannot run them."""

    def memory(self, workers: int) -> tuple[int, int]:
        """Count the bytes that a round's forward pass keeps for so many workers, and the data's.

        Parameters
        ----------
        workers : int
            Those of the round; counted as the ones with the largest batches.

        Returns
        -------
        activations, data : int
            In float32; both where gradients are computed.
        """

    def windows(self, workers: int) -> int:
        """Count the bytes of images' windows that a shared pass writes down for so many workers.

        Parameters
        ----------
        workers : int
            As for `memory`.

        Returns
        -------
        int
            At a time, in float32; 0 where there are no such convolutions.
        """

    def digest(self) -> dict[str, str]:
        """Return what server and nodes have to agree on: "data", "model", ... -> its digest."""
