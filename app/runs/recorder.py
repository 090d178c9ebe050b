"""The record of a run in another's Flower app: the same folder, checkpoints and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from signfed.app.errors import ConfigError
from signfed.app.runs import checkpoint
from signfed.app.runs.claim import existing_folder, is_taken
from signfed.app.runs.folder import ENDED, RunFolder, read_summary
from signfed.app.runs.rounds import rounds_until
from signfed.app.runs.saving import Saver
from signfed.app.runs.scoring import Scorer
from signfed.app.runs.versions import versions
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Observe

EVERY = 50  # rounds between two checkpoints, as in signfed's own app
# What the rounds that are done do not depend on.
FREE = frozenset({"num_rounds", "node_timeout", "fraction_evaluate", "min_evaluate_nodes"})


class RunRecorder:
    """What keeps a run on disk that `strategy.start(..., run_dir=...)` was asked to keep.

    Parameters
    ----------
    run_dir : path, optional
        A new or empty folder.
    resume : path, optional
        The folder of a run that goes on.

    Attributes
    ----------
    resume : tuple of int and dict
        The last round that is done, and the state after it; (0, {}) for a new run. Whoever has
        used the state empties it.

    Raises
    ------
    ConfigError
        When the folder cannot be used.
    """

    def __init__(self, run_dir: str | Path | None, resume: str | Path | None) -> None:
        if run_dir and resume and Path(run_dir).resolve() != Path(resume).resolve():
            raise ConfigError("run_dir: expected none beside resume, which goes on in its folder")
        self._path = Path(resume or run_dir or "").expanduser()
        self._goes_on = resume is not None
        self._found = self._last() if self._goes_on else None
        self.resume = (self._found.server_round, self._found.state) if self._found else (0, {})
        self._saver: Saver | None = None

    def observe(self, who: Callable[[], set[int]]) -> Observe:
        """Return what scores a usable round, where somebody is known to be Byzantine."""

        def scores(
            updates: Updates, direction: Tensor, findings: Mapping[str, Any]
        ) -> dict[str, Any]:
            byzantine = who()
            return Scorer(byzantine)(updates, direction, findings) if byzantine else {}

        return scores

    def begin(self, config: Mapping[str, Any], n_parameters: int, num_rounds: int) -> None:
        """Make the folder, or go on in it; see `__init__` for what is raised."""
        done, found = self.resume[0], self._found
        config = {**config, "num_rounds": num_rounds}
        differs = [k for k in config if found and config[k] != found.config.get(k)]
        if found and (other := [key for key in differs if key not in FREE]):
            pairs = ", ".join(f"{k}={found.config.get(k)!r}, not {config[k]!r}" for k in other)
            raise ConfigError(f"resume: {self._path} is of another run: {pairs}")
        # One that was killed before its summary has no round left, but still has to be ended.
        ended = read_summary(self._path).get("status") in ENDED
        if found and (done > num_rounds or (done == num_rounds and ended)):
            raise ConfigError(
                f"resume: round {done} of {num_rounds} is done, nothing is left; expected "
                f"num_rounds above {done}"
            )
        existing_folder(self._path)
        if not self._goes_on and is_taken(self._path):
            raise ConfigError(f"run_dir: expected a new or empty folder; {self._path} has files")
        folder = RunFolder(
            self._path, {"config": dict(config), "byzantine_ids": [], "versions": versions()},
            n_parameters, done=done if self._goes_on else None,
            seconds=found.seconds if found else 0.0,
        )  # fmt: skip
        self._saver = Saver(folder, config, EVERY, num_rounds)

    def after_round(self, record: RoundRecord, state: Callable[[], State]) -> None:
        """Write a round's line, and a checkpoint where one is due."""
        if self._saver:
            self._saver.after_round(record.to_json(), state)

    def interrupt(self) -> None:
        """Write the state that was kept and close the folder; nothing where it is closed."""
        if self._saver:
            self._saver.interrupt()

    def end(self, parameters: Tensor | None, error: BaseException | None) -> None:
        """Close the folder; how the run ended is in its summary."""
        if self._saver:
            self._saver.end(None if parameters is None else parameters.cpu().numpy(), error)

    def _last(self) -> checkpoint.Checkpoint | None:
        if checkpoint.is_checkpoint(self._path):
            raise ConfigError(
                f"resume: expected the run folder {checkpoint.run_of(self._path)}, which goes on "
                f"after its last checkpoint; got the checkpoint {self._path.name}"
            )
        try:
            place = checkpoint.find(self._path)
            found = checkpoint.read(place) if place else None
        except checkpoint.CheckpointError as error:
            if not error.what:
                raise ConfigError(str(error)) from error
            *before, damaged = checkpoint.list_checkpoints(self._path)
            goes_on = f"goes on after {before[-1].name}" if before else "begins anew"
            raise ConfigError(f"{error.what}; remove {damaged}, and the run {goes_on}") from error
        if found:
            rounds_until(self._path, found.server_round)
        return found
