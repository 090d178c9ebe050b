"""Keys that are right alone and wrong together."""

from __future__ import annotations

from signfed.app.config.shared import Shared
from signfed.app.errors import ConfigError
from signfed.strategies.registry import STRATEGIES


def check_together(keys: Shared) -> None:
    """Raise ConfigError for keys that are right alone and wrong together.

    Parameters
    ----------
    keys : Shared
        Checked one by one.
    """
    if not keys.resume:  # an earlier run goes on as it was begun
        _check_schedule(keys)
    if keys.num_byzantine > keys.num_workers:
        raise ConfigError(
            f"num-byzantine: expected at most num-workers = {keys.num_workers}; "
            f"got {keys.num_byzantine}"
        )
    rule = STRATEGIES.get(keys.strategy)
    if rule and rule.coded and keys.worker_momentum:
        raise ConfigError(
            f"worker-momentum: expected 0 with strategy={keys.strategy!r}, whose workers send "
            f"votes, not gradients; got {keys.worker_momentum}"
        )
    if rule and rule.coded and keys.local_steps > 1:
        raise ConfigError(
            f"local-steps: expected 1 with strategy={keys.strategy!r}, whose workers vote on "
            f"gradients at one model; got {keys.local_steps}"
        )
    if rule and rule.coded and keys.fraction_train < 1:
        raise ConfigError(
            f"fraction-train: expected 1 with strategy={keys.strategy!r}, whose code counts a "
            f"missing worker as Byzantine; got {keys.fraction_train}"
        )


def _check_schedule(keys: Shared) -> None:
    if keys.lr_schedule == "steps":
        if not keys.lr_milestones:
            raise ConfigError(
                "lr-milestones: expected with lr-schedule='steps', such as '40,80'; got none"
            )
        return
    for key, value, usual in (
        ("lr-milestones", keys.lr_milestones, Shared.lr_milestones),
        ("lr-gamma", keys.lr_gamma, Shared.lr_gamma),
    ):
        if value != usual:
            raise ConfigError(
                f"{key}: belongs to lr-schedule='steps', but lr-schedule is {keys.lr_schedule!r}"
            )
