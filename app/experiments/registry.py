"""Every published figure and table by name."""

from __future__ import annotations

from signfed.app.errors import ConfigError
from signfed.app.experiments.experiment import Experiment
from signfed.app.experiments.items.bft_fig1 import BFT_FIG1
from signfed.app.experiments.items.bft_mnist import BFT_FIG2, BFT_FIG3, BFT_FIG4
from signfed.app.experiments.items.fd_fig1 import FD_FIG1A, FD_FIG1B, FD_FIG1C, FD_FIG1D
from signfed.app.experiments.items.fd_fig2 import FD_FIG2
from signfed.app.experiments.items.fd_fig3a import FD_FIG3A
from signfed.app.experiments.items.fd_fig3b import FD_FIG3B
from signfed.app.experiments.items.fd_fig4 import FD_FIG4A, FD_FIG4B
from signfed.app.experiments.items.fd_table1 import FD_TABLE1
from signfed.app.experiments.items.matrix import MATRIX

PAPERS = {
    "park-2024": "Park & Lee 2024, SignSGD with Federated Defense",
    "mengoli-2025": "Mengoli et al. 2025, Byzantine fault tolerance of signSGD-MV",
    "xu-2022": "Xu et al. 2022, SignGuard",
    "sohn-2020": "Sohn et al. 2020, Election Coding",
    "ours": "of this project",
}

EXPERIMENTS: dict[str, Experiment] = {
    each.name: each
    for each in (
        FD_FIG1A, FD_FIG1B, FD_FIG1C, FD_FIG1D, FD_FIG2, FD_FIG3A, FD_FIG3B, FD_FIG4A, FD_FIG4B,
        FD_TABLE1,
        BFT_FIG1, BFT_FIG2, BFT_FIG3, BFT_FIG4,
        MATRIX,
    )
}  # fmt: skip


def find(name: str) -> Experiment:
    """Return the experiment of that name.

    Parameters
    ----------
    name : str

    Raises
    ------
    ConfigError
        When there is none, with those that there are.
    """
    if name not in EXPERIMENTS:
        known = ", ".join(EXPERIMENTS)
        raise ConfigError(f"unknown experiment {name!r}; expected some of {known}, or all")
    return EXPERIMENTS[name]
