"""The task `own-data`: each worker trains on what lies in a folder of its own."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from signfed.app.errors import ConfigError
from signfed.app.task.classification import Classification
from signfed.app.task.datasets.dataset import DataMissing, Dataset, as_float
from signfed.app.task.datasets.own_files import read
from signfed.app.task.datasets.schema import Schema
from signfed.app.task.digest import fingerprint
from signfed.app.task.evaluation import mixed
from signfed.app.task.many import ManyGradients
from signfed.app.task.partitions import Shards
from signfed.app.task.problem import Asked
from signfed.app.task.workload import Workload
from signfed.attacks.core.data import Trigger
from signfed.clients import Poison

HELD_OUT = "server"  # folder of the server's test samples, beside the workers'
FEDERATION = "federation.json"  # in the folder of a federation, which `up` calls "server", too


def from_bytes(x: Tensor) -> Tensor:
    """Return images as float32 from 0 to 1."""
    return x.to(torch.float32) / 255.0


class OwnData(Classification):
    """Mean loss of a network, each worker on samples that nobody else has.

    On a device, whose node config names a data-dir, the samples lie in that folder. Elsewhere they
    lie in data-dir/0, data-dir/1, ... for the workers, as far as they are there, so that a
    federation can be rehearsed on one machine, with the same bits. The server tests models on
    data-dir/server; where there is no such folder, nobody does. A federation's folder is refused.

    Parameters
    ----------
    workload : Workload
        With the schema as its task options.

    Raises
    ------
    DataMissing, ConfigError
        When a folder holds something else than the schema says, or a model does not fit it.
    """

    def __init__(self, workload: Workload) -> None:
        if workload.server_samples:
            raise ConfigError("server-samples: task='own-data' has no samples that it could take")
        self._schema = schema = Schema(**dict(workload.task_options))
        place = Path(workload.data_dir).expanduser().absolute()
        if workload.alone:
            sets, test = [read(place, schema)], None
        else:
            sets = _rehearsed(place, schema, workload.num_workers)
            test = _held_out(place / HELD_OUT, schema)
        self._sizes, self.tested = [len(y) for _, y in sets], test is not None
        blank = _blank(schema), np.zeros(2, np.int64)  # where there is nothing: shapes are known
        parts = zip(*(sets or [blank]), strict=True)
        train_x, train_y = (torch.from_numpy(np.concatenate(part)) for part in parts)
        test_x, test_y = map(torch.from_numpy, test or blank)
        images, (*_, height, width) = schema.kind == "images", (0, *schema.sides)
        data = Dataset(
            train_x, train_y, test_x, test_y, from_bytes if images else as_float,
            sides=(height, width) if images else None,
        )  # fmt: skip
        try:
            super().__init__(workload, data, len(schema.names))
            with torch.no_grad():
                copy.deepcopy(self._model).eval()(data.to_input(train_x[:2]))
        except ConfigError:
            raise
        except (ValueError, RuntimeError) as error:
            raise ConfigError(
                f"model={workload.model!r}: cannot take {list(schema.sides)}, a sample: {error}"
            ) from error

    def _shared_out(self, workload: Workload) -> Shards:
        if workload.alone:  # whichever worker it is
            return [np.arange(len(self.labels))] * workload.num_workers
        ends = np.cumsum(self._sizes)
        held = [np.arange(end - n, end) for n, end in zip(self._sizes, ends, strict=True)]
        return held or [np.arange(2)] * workload.num_workers  # blank ones, for shapes

    def require_workers(self) -> None:
        workload = self._workload
        if not self._sizes:
            raise DataMissing(
                f"data-dir: expected a folder for each worker in {workload.data_dir}, 0 to "
                f"{workload.num_workers - 1}, or a data-dir in the node config; found none"
            )

    def gradient(
        self, parameters: np.ndarray, worker: int, server_round: int, poison: Poison | None = None
    ) -> np.ndarray:
        self.require_workers()
        return super().gradient(parameters, worker, server_round, poison)

    def batched(self, asked: Asked) -> ManyGradients | None:
        return super().batched(asked) if self._sizes else None

    def evaluate(self, parameters: Tensor, trigger: Trigger | None = None) -> dict[str, float]:
        return super().evaluate(parameters, trigger) if self.tested else {}

    def digest(self) -> dict[str, str]:
        """Data are each node's own; what they must look like is everybody's."""
        schema = self._schema
        shape = torch.tensor([len(schema.names), *schema.sides])
        name = ",".join((schema.kind, schema.label, *schema.names))
        return self._made | {"schema": fingerprint([(name, shape)])}


def _blank(schema: Schema) -> np.ndarray:
    return np.zeros((2, *schema.sides), np.uint8 if schema.kind == "images" else np.float32)


def _held_out(folder: Path, schema: Schema) -> tuple[np.ndarray, np.ndarray] | None:
    """The server's test samples; None where there are none."""
    if (folder / FEDERATION).exists():
        raise ConfigError(
            f"data-dir: expected test samples in {folder}, or no such folder; it is a federation's "
            f"own, with its {FEDERATION}: keep data and federation apart"
        )
    if not folder.is_dir():
        return None
    x, y = read(folder, schema)
    order = mixed(len(y))
    return x[order], y[order]


def _rehearsed(
    place: Path, schema: Schema, num_workers: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """What lies in the workers' folders; all of them, or none."""
    folders = [place / str(worker) for worker in range(num_workers)]
    missing = [folder.name for folder in folders if not folder.is_dir()]
    if 0 < len(missing) < num_workers:
        raise DataMissing(
            f"data-dir: expected in {place} a folder for each of {num_workers} workers; missing: "
            f"{', '.join(missing)}"
        )
    return [] if missing else [read(folder, schema) for folder in folders]
