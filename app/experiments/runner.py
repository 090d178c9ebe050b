"""Where the cells of a sweep run."""

from __future__ import annotations

from typing import Protocol

from signfed.app.errors import ConfigError
from signfed.app.experiments.work import Ended, KeptData, Work, carry_out
from signfed.strategies.ops.threads import cores


class Runner(Protocol):
    """Carry out works, some at a time."""

    @property
    def elsewhere(self) -> bool:
        """Whether it runs them on other machines, which have the data."""

    @property
    def slots(self) -> int:
        """How many run at a time."""

    def start(self, work: Work) -> None:
        """Begin a work; at most `slots` of them are under way.

        Parameters
        ----------
        work : Work
        """

    def wait(self) -> Ended:
        """Return those that have ended, each with its outcome, as soon as there is one."""

    def close(self) -> None:
        """End all that is under way; a run that is cut off is saved where that is possible."""


class Here:
    """One after the other in this process."""

    slots, elsewhere = 1, False

    def __init__(self) -> None:
        self._works: list[Work] = []
        self._load = KeptData()

    def start(self, work: Work) -> None:
        self._works.append(work)

    def wait(self) -> Ended:
        work = self._works.pop()
        return [(work, carry_out(work, self._load))]

    def close(self) -> None:
        self._works.clear()


def runner_for(
    engine: str = "local",
    processes: int | None = None,
    address: str | None = None,
    gpus_per_cell: float = 0.0,
) -> Runner:
    """Return where cells run: processes of this machine, or Ray.

    Parameters
    ----------
    engine : {"local", "flower"}
        Flower's runs go one after the other, from this process.
    processes : int, optional
        How many run at a time; one a core by default, 0 for this process. Of Flower's one.
    address : str, optional
        A Ray cluster; "local" for one that is started here.
    gpus_per_cell : float
        Share of a GPU for each. Ray hands them out.

    Raises
    ------
    ConfigError
        For what does not go together.
    """
    if processes is not None and processes < 0:
        raise ConfigError(f"--processes: expected at least 0; got {processes}")
    if engine == "flower" and (processes or 1) > 1:
        raise ConfigError(
            "--processes: expected none with engine = 'flower', whose runs go one after the other; "
            f"got {processes}"
        )
    if address or gpus_per_cell:
        if engine == "flower" or processes is not None:
            other = "--processes" if processes is not None else "engine = 'flower'"
            raise ConfigError(f"--address, --gpus-per-cell: expected none beside {other}")
        from signfed.app.experiments.on_ray import OnRay

        return OnRay(address or "local", gpus_per_cell)
    most = cores() if processes is None else processes
    if engine == "flower" or not most:
        return Here()
    from signfed.app.experiments.processes import Processes

    return Processes(most)
