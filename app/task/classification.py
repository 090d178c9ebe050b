"""A network on a partition of a data set."""

from __future__ import annotations

import copy
import logging
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from signfed.app.errors import ConfigError
from signfed.app.task.activations import saved_bytes, windows_at_once, windows_of
from signfed.app.task.datasets.dataset import Dataset
from signfed.app.task.digest import fingerprint, made_here
from signfed.app.task.evaluation import Loss, evaluate, mixed
from signfed.app.task.fit import Names, check_fit, network_input
from signfed.app.task.gradients import Gradients
from signfed.app.task.many import ManyGradients
from signfed.app.task.models import Spec, build, flatten, trainable
from signfed.app.task.own import OwnLoss
from signfed.app.task.partitions import Shards
from signfed.app.task.poison import triggered
from signfed.app.task.problem import Asked
from signfed.app.task.ways import choose
from signfed.app.task.workload import Workload, device_of
from signfed.attacks.core.data import Trigger
from signfed.clients import Poison

log = logging.getLogger("signfed")
OF_TESTS = ("test_accuracy", "test_loss", "minority_accuracy", "others_accuracy")


class Classification:
    """Mean loss of a network on a partition of a data set.

    Parameters
    ----------
    workload : Workload
    data : Dataset
    num_classes : int, optional
        One above the largest label by default.

    Raises
    ------
    ConfigError
        When data, model, loss and partition do not fit one another.
    """

    tested = True

    def __init__(self, workload: Workload, data: Dataset, num_classes: int | None = None) -> None:
        self._workload, self._data = workload, data
        self.way: dict[str, str] = {}
        self.device = device_of(workload.device)
        self.labels, self.sides = data.train_y.numpy(), data.sides
        largest = int(max(data.train_y.max(), data.test_y.max()))
        self.num_classes = num_classes or largest + 1
        if largest >= self.num_classes:
            raise ConfigError(
                f"task={workload.task!r}: expected labels below {self.num_classes}; got {largest}"
            )
        self.server_shard = workload.server_shard(self.labels)
        self.validation_shard = workload.validation_shard(self.labels)
        self._stamped: tuple[Trigger, Dataset] | None = None  # the last trigger's test images
        self.shards = self._shared_out(workload)
        names = Names(workload.task, workload.model, workload.loss)
        shape = network_input(names, data, data.train_x).shape[1:]
        self._spec = Spec(tuple(shape), self.num_classes, data.vocabulary)
        self._loss: Loss = OwnLoss(workload.loss) if ":" in workload.loss else cross_entropy
        if names.own:  # the others are known to fit
            check_fit(
                names,
                self._spec,
                lambda: self._model,
                data,
                self._loss,
                lambda: self._gradients,
                self.server_shard,
            )

    def _shared_out(self, workload: Workload) -> Shards:
        return workload.shards(self.labels)

    @property
    def edges(self) -> tuple[int, ...]:
        sizes = [parameter.numel() for parameter in trainable(self._model)]
        return (0, *np.cumsum(sizes).tolist())

    def initial(self) -> Tensor:
        return flatten(self._model).cpu()

    def gradient(
        self, parameters: np.ndarray, worker: int, server_round: int, poison: Poison | None = None
    ) -> np.ndarray:
        return self._gradients(parameters, worker, server_round, poison)

    def truth(self, parameters: np.ndarray) -> np.ndarray:
        return self._gradients.everywhere(parameters)

    def reference(self, parameters: np.ndarray, server_round: int) -> np.ndarray:
        return self._gradients.over(parameters, self.server_shard)

    def batched(self, asked: Asked) -> ManyGradients | None:
        chosen = choose(
            self._workload.gradients, self._gradients, self.initial().numpy(), (asked(1), asked(2)),
            own=":" in self._workload.task,
        )  # fmt: skip
        self.way = {"way": chosen.way, "because": chosen.because}
        log.info("gradients: %s (%s)", chosen.way, chosen.because)
        return chosen.many

    def evaluate(self, parameters: Tensor, trigger: Trigger | None = None) -> dict[str, float]:
        def on(data: Dataset, label: int | None = None) -> tuple[float, ...]:
            return evaluate(self._evaluated, parameters, data, self._loss, label)

        found = on(self._tested, self._workload.lone_class)
        # Without a class that one worker alone holds the last two are not there.
        scores = dict(zip(OF_TESTS, found, strict=False))
        if len(self.validation_shard):
            scores["validation_accuracy"] = on(self._validated)[0]
        return scores | ({"backdoor_success": on(self._triggered(trigger))[0]} if trigger else {})

    def _triggered(self, trigger: Trigger) -> Dataset:
        if self._stamped is None or self._stamped[0] is not trigger:
            self._stamped = trigger, triggered(self._tested, trigger)
        return self._stamped[1]

    def batch_sizes(self) -> tuple[int, ...]:
        """Return the samples a round, by worker."""
        return self._gradients.batch_sizes

    def own_accuracy(self, parameters: Tensor, worker: int) -> float:
        own = self._in_place_of_tests(self.shards[worker])
        return evaluate(self._evaluated, parameters, own, self._loss)[0]

    def require_workers(self) -> None: ...

    def memory(self, workers: int) -> tuple[int, int]:
        of_round = sum(sorted(self.batch_sizes(), reverse=True)[:workers])
        data = self._data
        stored = sum(part.nbytes for part in (data.train_x, data.train_y, data.test_x, data.test_y))
        return of_round * saved_bytes(self._model, self._two_samples), stored

    def windows(self, workers: int) -> int:
        largest = max(self.batch_sizes())
        return windows_at_once(largest * windows_of(self._model, self._two_samples), workers)

    @property
    def _two_samples(self) -> Tensor:
        return self._gradients.samples(np.zeros(2, np.int64))[0]

    def digest(self) -> dict[str, str]:
        return dict(self._digest)

    @cached_property
    def _digest(self) -> dict[str, str]:
        data = self._data
        shards = [("", torch.from_numpy(shard)) for shard in self.shards]
        if len(self.server_shard):
            shards.append(("server", torch.from_numpy(self.server_shard)))
        if len(self.validation_shard):
            shards.append(("validation", torch.from_numpy(self.validation_shard)))
        return {
            "data": fingerprint([("train", data.train_x), ("test", data.test_x)]),
            "labels": fingerprint([("train", data.train_y), ("test", data.test_y)]),
            "shards": fingerprint(shards),
        } | self._made

    @cached_property
    def _made(self) -> dict[str, str]:
        """Digests of what is made from the run config alone."""
        return {
            "model": made_here(fingerprint(self._model.named_parameters())),
            "buffers": made_here(fingerprint(self._model.named_buffers())),
        }

    @cached_property  # once: a user's function may give another model at each call
    def _model(self) -> nn.Module:
        return build(self._workload.model, self._spec, self._workload.seed)

    @cached_property
    def _evaluated(self) -> nn.Module:
        return copy.deepcopy(self._model).to(self.device)

    @cached_property
    def _tested(self) -> Dataset:
        """The test set lies where the model is."""
        x, y = (part.to(self.device) for part in (self._data.test_x, self._data.test_y))
        return replace(self._data, test_x=x, test_y=y)

    @cached_property
    def _validated(self) -> Dataset:
        return self._in_place_of_tests(self.validation_shard)

    def _in_place_of_tests(self, shard: np.ndarray) -> Dataset:
        held = torch.from_numpy(shard[mixed(len(shard))])
        x, y = (part[held].to(self.device) for part in (self._data.train_x, self._data.train_y))
        return replace(self._data, test_x=x, test_y=y)

    @cached_property  # a server never needs it
    def _gradients(self) -> Gradients:
        workload = self._workload
        return Gradients(
            self._model,
            self._data,
            self.shards,
            batch_size=workload.batch_sizes or workload.batch_size,
            seed=workload.seed,
            device=self.device,
            precision=workload.precision,
            loss=self._loss,
            local=workload.local,
        )
