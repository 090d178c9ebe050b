"""When a run's state is saved: every k rounds, after the last, and where it breaks off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from signfed.app.runs import checkpoint
from signfed.app.runs.checkpoint import Checkpoint
from signfed.app.runs.folder import DIVERGED, FAILED, FINISHED, INTERRUPTED, RunFolder
from signfed.strategies.core.own import reason
from signfed.strategies.core.rule import State
from signfed.strategies.server.federation import DivergedError
from signfed.strategies.server.loop import gone
from signfed.strategies.server.optimizer import model_sha256

SHARE = 0.02  # of the time, at most, goes into copies of the state
PATIENCE = 2.0  # seconds for a round's files to be written before an interruption is


class Saver:
    """Write the checkpoints of one run.

    The state between two rounds exists only until the next one begins, and an interruption comes at
    any moment. So a copy is kept, after every round whose work is long beside the copy.

    Parameters
    ----------
    folder : RunFolder
        Of the run.
    config : mapping
        Every run-config key.
    every : int
        Rounds between two checkpoints; 0 for none but the last.
    num_rounds : int
        Rounds of the run.
    """

    def __init__(
        self, folder: RunFolder, config: Mapping[str, Any], every: int, num_rounds: int
    ) -> None:
        self._folder, self._config = folder, config
        self._every, self._num_rounds = every, num_rounds
        self._kept: Checkpoint | None = None
        self._next_copy = 0.0
        self._busy = threading.RLock()  # Flower interrupts the server from another thread

    def after_round(
        self,
        record: Mapping[str, Any],
        state: Callable[[], State],
        *,
        last: bool = False,
    ) -> None:
        """Write the round's record and, if it is due, its checkpoint; or keep a copy of the state.

        Parameters
        ----------
        record : mapping
            The line of `rounds.jsonl`.
        state : callable
            Makes the run's state after the round; `gone` where the run has gone past it.
        last : bool
            Whether the run ends early, after this round.

        Raises
        ------
        OSError
            When the disk takes no more; the text names the last good checkpoint.
        """
        server_round = record["round"]
        with self._busy:
            self._folder.write_round(record)
            if state is gone:
                return
            if last or self.is_due(server_round):
                self._folder.flush()
                self._write(self._at(server_round, state()))
                self._kept = None
            elif time.monotonic() >= self._next_copy:
                self.keep(server_round, state)

    def keep(self, server_round: int, state: Callable[[], State]) -> None:
        """Copy the state that the run has now, after this round.

        Parameters
        ----------
        server_round : int
            Its number.
        state : callable
            Makes the run's state.
        """
        began = time.thread_time()  # what it costs, not what a busy machine makes of it
        copy = {name: tensor.clone() for name, tensor in state().items()}
        self._kept = self._at(server_round, copy)
        self._next_copy = time.monotonic() + (time.thread_time() - began) / SHARE

    def interrupt(self) -> None:
        """Save the state that was kept and close the folder, of a run that goes on later."""
        self.give_up(INTERRUPTED)

    def give_up(self, status: str, **facts: Any) -> None:
        """Save the state that was kept and close the folder, whatever comes of the first.

        Parameters
        ----------
        status : str
            How the run ended.
        **facts : object
            More entries of its summary.
        """
        acquired = self._busy.acquire(timeout=PATIENCE)
        try:
            if self._kept and not self._folder.closed:
                with suppress(Exception):  # of a disk that is full, or of memory that is
                    self._folder.flush()
                    checkpoint.write(self._folder.path, self._kept)
            with suppress(OSError):
                self._folder.close(status, **facts)
        finally:
            if acquired:
                self._busy.release()

    def end(self, parameters: np.ndarray | None, error: BaseException | None, **facts: Any) -> None:
        """Close the folder of a run that came to its end, or that an error ended.

        Parameters
        ----------
        parameters : ndarray, float32 [N], or None
            The final model, where the run came to its end.
        error : BaseException or None
            What ended it otherwise; a full disk does not take its place.
        **facts : object
            More entries of the summary of a run that came to its end.
        """
        if parameters is not None:
            status = FINISHED if np.isfinite(parameters).all() else DIVERGED
            self._folder.close(status, model_sha256=model_sha256(parameters), **facts)
        elif isinstance(error, DivergedError):
            with suppress(OSError):
                self._folder.close(DIVERGED, error=str(error))
        elif isinstance(error, Exception):
            self.give_up(FAILED, error=reason(error))
        else:
            self.interrupt()

    def _at(self, server_round: int, state: State) -> Checkpoint:
        return Checkpoint(server_round, state, self._config, self._folder.seconds)

    def is_due(self, server_round: int) -> bool:
        """Tell whether a checkpoint is written after this round."""
        return server_round == self._num_rounds or (
            bool(self._every) and server_round % self._every == 0
        )

    def _write(self, state: Checkpoint) -> None:
        try:
            checkpoint.write(self._folder.path, state)
        except OSError as error:
            whole = checkpoint.list_checkpoints(self._folder.path)
            left = f"the last one is whole: {whole[-1]}" if whole else "there is none yet"
            raise OSError(
                error.errno,
                f"no checkpoint after round {state.server_round}: {error.strerror}; {left}",
            ) from error
