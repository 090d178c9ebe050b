"""What gradients depend on besides the parameters."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from signfed.app.errors import ConfigError
from signfed.app.task.local_steps import ONE_STEP, LocalSteps
from signfed.app.task.many import Way
from signfed.app.task.partitions import LONE, PARTITIONS, Shards
from signfed.app.task.partitions.server import server_shard


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
    gradients : str
        "auto", "shared", "vmap" or "loop".
    partition : str
        Of PARTITIONS, with its options.
    batch_sizes : tuple of int
        Of each worker, where they differ; else empty.
    server_samples : int
        Samples that the server keeps for itself.
    batch_grows : bool
        Whether the batch of round t has t samples, of a problem without data.
    validation_samples : int
        Samples on which settings are compared; neither the server's nor a worker's.
    local : LocalSteps
        Of each worker in a round.
    task_options : tuple
        Options of the task, as sorted pairs.
    alone : bool
        Whether data_dir is a device's own: it holds what one worker trains on.
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
    gradients: Way = "auto"
    partition: str = "stratified"
    partition_options: tuple[tuple[str, Any], ...] = ()
    batch_sizes: tuple[int, ...] = ()
    loss: str = "cross-entropy"
    server_samples: int = 0
    batch_grows: bool = False
    validation_samples: int = 0
    local: LocalSteps = ONE_STEP
    task_options: tuple[tuple[str, Any], ...] = ()
    alone: bool = False

    @property
    def lone_class(self) -> int | None:
        """Class that one worker alone holds; None where the partition says of none."""
        return dict(self.partition_options).get(LONE.get(self.partition, ""))

    def server_shard(self, labels: np.ndarray) -> np.ndarray:
        """Choose the samples that the server keeps for itself.

        Parameters
        ----------
        labels : ndarray, int64 [n]
            Of the training samples.

        Returns
        -------
        ndarray
            int64 [server_samples], sample ids.

        Raises
        ------
        ConfigError
            When no sample would be left.
        """
        if self.server_samples >= len(labels):
            raise ConfigError(
                f"server-samples: {self.task} has {len(labels)} training samples; expected fewer "
                f"for the server, at most {len(labels) - self.num_workers} to leave each of "
                f"{self.num_workers} workers one; got {self.server_samples}"
            )
        return server_shard(labels, self.server_samples, self.seed)

    def validation_shard(self, labels: np.ndarray) -> np.ndarray:
        """Choose the samples of validation, at random within each class.

        Parameters
        ----------
        labels : ndarray, int64 [n]
            Of the training samples.

        Returns
        -------
        ndarray
            int64 [validation_samples], sample ids.

        Raises
        ------
        ConfigError
            When no sample would be left.
        """
        left = np.delete(np.arange(len(labels)), self.server_shard(labels))
        if self.validation_samples >= len(left):
            raise ConfigError(
                f"validation-samples: {self.task} has {len(left)} training samples left; expected "
                f"at most {max(0, len(left) - self.num_workers)}, to leave each of "
                f"{self.num_workers} workers one; got {self.validation_samples}"
            )
        chosen = server_shard(labels[left], self.validation_samples, self.seed, "validation-shard")
        return left[chosen]

    def shards(self, labels: np.ndarray) -> Shards:
        """Share out among the workers what is kept neither by the server nor for validation.

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
        kept = np.concatenate([self.server_shard(labels), self.validation_shard(labels)])
        left = np.delete(np.arange(len(labels)), kept)
        try:
            shards = make(labels[left], self.num_workers, self.seed, **dict(self.partition_options))
        except ValueError as error:
            raise ConfigError(f"partition={self.partition!r}: {error}") from error
        if len(kept):
            shards = [left[shard] for shard in shards]
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
    if there:  # read when cuBLAS is first used; without it a product's bits may vary
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return torch.device("cuda" if there else "cpu")
