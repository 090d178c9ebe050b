"""What keeps a run on disk, and how it hears that its process ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from torch import Tensor

from signfed.strategies.core.rule import State
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Observe


class Recorder(Protocol):
    """What keeps a run on disk. It lives in the app, and comes in by the package's door."""

    # The last round that is done, and the state after it, which is emptied once it is used.
    resume: tuple[int, State]

    def observe(self, who: Callable[[], set[int]]) -> Observe:
        """Return what scores a usable round. who: the Byzantine workers."""

    def begin(self, config: Mapping[str, Any], n_parameters: int, num_rounds: int) -> None:
        """Make the folder, or go on in it. Raises ValueError for another run's.

        Parameters
        ----------
        config : mapping
            What the rounds depend on, by name.
        n_parameters : int
            N.
        num_rounds : int
        """

    def after_round(self, record: RoundRecord, state: Callable[[], State]) -> None:
        """Write a round's line, and a checkpoint where one is due.

        Parameters
        ----------
        record : RoundRecord
        state : callable
            Returns the run's state after the round.
        """

    def interrupt(self) -> None:
        """Write what is kept of the last round and close the folder, from whatever thread."""

    def end(self, parameters: Tensor | None, error: BaseException | None) -> None:
        """Close the folder. Nothing happens where it was never made.

        Parameters
        ----------
        parameters : Tensor, float32 [N], or None
            The final model, where the run came to its end.
        error : BaseException or None
            What ended it otherwise.
        """


@contextmanager
def at_exit(handler: Callable[[], None]) -> Iterator[None]:
    """Have Flower call `handler` when a signal (`flwr stop`, Ctrl-C) ends this process meanwhile.

    The ServerApp's thread gets no exception then. Flower's hook is private: without it, a stopped
    run's folder says "running".

    Parameters
    ----------
    handler : callable
        Called from another thread, at most once.
    """
    try:
        from flwr.supercore.exit import add_exit_handler
    except ImportError:
        yield
        return
    held = [handler]

    def forward() -> None:
        for each in held:
            each()

    add_exit_handler(forward)
    try:
        yield
    finally:
        held.clear()  # Flower keeps for good what it was given, and a handler keeps its run
