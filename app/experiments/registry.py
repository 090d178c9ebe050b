"""Every published figure and table by name."""

from __future__ import annotations

from signfed.app.errors import ConfigError
from signfed.app.experiments.experiment import Experiment
from signfed.app.experiments.items.bft_fig1 import BFT_FIG1
from signfed.app.experiments.items.bft_mnist import BFT_FIG2, BFT_FIG3, BFT_FIG4
from signfed.app.experiments.items.byzfl_heatmaps import BYZFL_HEATMAPS
from signfed.app.experiments.items.election_figures import (
    ELECTION_FIGA1,
    ELECTION_FIGA2,
    ELECTION_FIGA3,
    ELECTION_FIGA4A,
    ELECTION_FIGA4B,
    ELECTION_FIGA4C,
)
from signfed.app.experiments.items.election_table_a1 import ELECTION_TABLEA1
from signfed.app.experiments.items.fd_fig1 import FD_FIG1A, FD_FIG1B, FD_FIG1C, FD_FIG1D
from signfed.app.experiments.items.fd_fig2 import FD_FIG2
from signfed.app.experiments.items.fd_fig3a import FD_FIG3A
from signfed.app.experiments.items.fd_fig3b import FD_FIG3B
from signfed.app.experiments.items.fd_fig4 import FD_FIG4A, FD_FIG4B
from signfed.app.experiments.items.fd_table1 import FD_TABLE1
from signfed.app.experiments.items.krum_icml2018 import KRUM_ICML2018
from signfed.app.experiments.items.krum_nips2017 import KRUM_NIPS2017
from signfed.app.experiments.items.matrix import MATRIX
from signfed.app.experiments.items.minority import MINORITY
from signfed.app.experiments.items.signguard_fig2 import SIGNGUARD_FIG2
from signfed.app.experiments.items.signguard_fig4 import SIGNGUARD_FIG4
from signfed.app.experiments.items.signguard_fig5 import SIGNGUARD_FIG5
from signfed.app.experiments.items.signguard_fig6 import SIGNGUARD_FIG6
from signfed.app.experiments.items.signguard_table1 import SIGNGUARD_TABLE1
from signfed.app.experiments.items.signguard_table2 import SIGNGUARD_TABLE2
from signfed.app.experiments.items.signguard_table3 import SIGNGUARD_TABLE3

PAPERS = {
    "park-2024": "Park & Lee 2024, SignSGD with Federated Defense",
    "mengoli-2025": "Mengoli et al. 2025, Byzantine fault tolerance of signSGD-MV",
    "xu-2022": "Xu et al. 2022, SignGuard",
    "sohn-2020": "Sohn et al. 2020, Election Coding",
    "byzfl": "ByzFL, the heatmaps of its documentation",
    "blanchard-2017": "Blanchard et al. 2017, Krum, as the krum package runs it",
    "elmhamdi-2018": "El Mhamdi et al. 2018, Bulyan, as the krum package runs it",
    "ours": "Questions of ours",
}

EXPERIMENTS: dict[str, Experiment] = {
    each.name: each
    for each in (
        FD_FIG1A, FD_FIG1B, FD_FIG1C, FD_FIG1D, FD_FIG2, FD_FIG3A, FD_FIG3B, FD_FIG4A, FD_FIG4B,
        FD_TABLE1,
        BFT_FIG1, BFT_FIG2, BFT_FIG3, BFT_FIG4,
        SIGNGUARD_TABLE1, SIGNGUARD_TABLE2, SIGNGUARD_TABLE3,
        SIGNGUARD_FIG2, SIGNGUARD_FIG4, SIGNGUARD_FIG5, SIGNGUARD_FIG6,
        ELECTION_TABLEA1, ELECTION_FIGA1, ELECTION_FIGA2, ELECTION_FIGA3,
        ELECTION_FIGA4A, ELECTION_FIGA4B, ELECTION_FIGA4C,
        BYZFL_HEATMAPS, KRUM_NIPS2017, KRUM_ICML2018, MINORITY,
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
