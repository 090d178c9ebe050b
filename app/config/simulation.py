"""What Flower's simulation gives its nodes of this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec

import torch

from signfed.app.config.run_config import RunConfig
from signfed.app.errors import ConfigError, installed


@dataclass(frozen=True)
class Simulation:
    """Nodes, and what each of them may use while it works.

    Attributes
    ----------
    supernodes : int
        At least 1 and at most one for each worker.
    cpus_per_client : int
        Nodes beyond what there is of the machine wait for their turn.
    gpus_per_client : float
        Share of a GPU; 0 hides the GPUs from the nodes.
    """

    supernodes: int = 2
    cpus_per_client: int = 1
    gpus_per_client: float = 0.0

    def check(self, config: RunConfig) -> None:
        """Raise ConfigError when this machine, or the run, cannot be shared out like that."""
        with installed("--engine flower"):
            if find_spec("ray") is None:  # Flower starts it; here it is not imported
                raise ModuleNotFoundError(name="ray")
        device, workers = config.workload.device, config.workload.num_workers
        if not 1 <= self.supernodes <= workers:
            raise ConfigError(
                f"--supernodes: expected 1 to num-workers = {workers}; got {self.supernodes}"
            )
        cpus = os.cpu_count() or 1
        if not 1 <= self.cpus_per_client <= cpus:
            raise ConfigError(
                f"--cpus-per-client: expected 1 to {cpus}, the CPUs of this machine; "
                f"got {self.cpus_per_client}"
            )
        share = f"--gpus-per-client {self.gpus_per_client}"
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if device == "cpu" and self.gpus_per_client:
            raise ConfigError(f"device='cpu': expected no {share}, or device='auto'")
        if device == "cuda" and not self.gpus_per_client:
            raise ConfigError(
                "device='cuda': expected --gpus-per-client above 0, or the nodes see no GPU"
            )
        if self.gpus_per_client and not gpus:
            raise ConfigError(f"{share}: expected a GPU, but torch sees none; use device='cpu'")
        if not 0 <= self.gpus_per_client <= gpus:
            raise ConfigError(f"{share}: expected 0 to {gpus}, the GPUs of this machine")

    @property
    def federation(self) -> str:
        """Flower's federation config."""
        return (
            f"num-supernodes={self.supernodes} client-resources-num-cpus={self.cpus_per_client} "
            f"client-resources-num-gpus={float(self.gpus_per_client)}"
        )
