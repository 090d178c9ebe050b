"""What gradients depend on besides the parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from signfed.app.errors import ConfigError
from signfed.app.task.partitions import PARTITIONS, Shards


@dataclass(frozen=True)
class Workload:
    """Everything that a gradient depends on besides the parameters. Hashable.

    Attributes
    ----------
    task, model, loss : str
        Names, or module:function.
    data_dir : str
        Where the data lie.
    download : bool
        Whether missing data may be downloaded.
    num_workers : int
        M, at least 1.
    batch_size : int
        Samples a round for each worker, where batch_sizes is empty.
    seed : int
        Of everything that is drawn.
    device : str
        "auto", "cpu" or "cuda".
    precision : str
        "float32", "tf32" or "bfloat16".
    partition : str
        Of PARTITIONS, with its options.
    batch_sizes : tuple of int
        Of each worker, where they differ; else empty.
    """

    task: str
    model: str
    data_dir: str
    download: bool
    num_workers: int
    batch_size: int
    seed: int
    device: str
    precision: str = "float32"
    partition: str = "stratified"
    partition_options: tuple[tuple[str, Any], ...] = ()
    batch_sizes: tuple[int, ...] = ()
    loss: str = "cross-entropy"

    def shards(self, labels: np.ndarray) -> Shards:
        """Share the samples out.

        Parameters
        ----------
        labels : ndarray
            int64 [n].

        Returns
        -------
        sequence of ndarray
            int64 sample ids, by worker.

        Raises
        ------
        ConfigError
            When the data do not allow the partition, or nobody can fill a batch.
        """
        make = PARTITIONS[self.partition]
        try:
            shards = make(labels, self.num_workers, self.seed, **dict(self.partition_options))
        except ValueError as error:
            raise ConfigError(f"partition={self.partition!r}: {error}") from error
        held = [len(shard) for shard in shards]
        if not min(held):
            raise ConfigError(
                f"partition={self.partition!r}: {held.count(0)} of {self.num_workers} workers hold "
                f"no sample of {self.task}; expected fewer workers"
            )
        if self.batch_size > max(held) and not self.batch_sizes:
            raise ConfigError(
                f"batch-size: the largest shard of {self.task} holds {max(held)} samples; expected "
                f"at most that; got {self.batch_size}"
            )
        return shards


def device_of(asked: str) -> torch.device:
    """Return the device of that name; "auto" takes a GPU where there is one, else the CPU.

    Parameters
    ----------
    asked : {"auto", "cpu", "cuda"}

    Raises
    ------
    ConfigError
        When a GPU was asked for and torch sees none.

    Examples
    --------
    >>> device_of("cpu")
    device(type='cpu')
    """
    there = asked != "cpu" and torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise ConfigError("device='cuda': expected a GPU, but torch sees none here; use 'cpu'")
    return torch.device("cuda" if there else "cpu")
