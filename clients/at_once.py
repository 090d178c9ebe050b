"""What all Byzantine workers of a round send, made in one call of their attack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from signfed.attacks import Attack, knows
from signfed.attacks.core.arrays import contiguous, known_finite, namespace
from signfed.attacks.core.past import remembered
from signfed.clients.adversary import Adversary
from signfed.clients.honest import Memory


def can_be_at_once(attack: Attack, everyone: bool) -> bool:
    """Tell whether one call on tensors makes what each worker would make by itself.

    Parameters
    ----------
    attack : Attack
        Of the round.
    everyone : bool
        Whether each round asks all workers. Else those of one round may remember different ones.

    Returns
    -------
    bool
        False for attacks on the data, for those that ask the rule, and for those of arrays alone.
    """
    if not attack.tensors or attack.stage == "data" or attack.rule:
        return False
    return everyone or not attack.past


def rows_at_once(
    adversary: Adversary,
    row: Callable[[int], Any],
    parameters: Any,
    server_round: int,
    memory_of: Callable[[int], Memory],
    *,
    finite: bool,
) -> Any:
    """Craft the rows of all workers that attack in the round, in the order of `planned`.

    Parameters
    ----------
    adversary : Adversary
        Of the run.
    row : callable
        Worker -> what it honestly has at the attack's stage: float32 [N], a tensor or an array.
    parameters : Tensor or ndarray, float32 [N]
        The model of the round, of the kind and on the device of the rows.
    server_round : int
        Number of the round.
    memory_of : callable
        Worker -> what it keeps; an attack with a past adds to it.
    finite : bool
        Whether all rows count as finite, so that nobody has to wait for the device and look.

    Returns
    -------
    Tensor or ndarray, float32 [b, N]
    """
    attack, active = adversary.planned(server_round)
    # Of attacks with a past, those that know their own row alone keep a memory of their own.
    apart = attack.past and attack.knowledge == "own"
    groups = [(worker,) for worker in active] if apart else [active]
    made = []
    for group in groups:
        kept = memory_of(group[0])
        past = adversary.recalled(attack, parameters, server_round, kept) if attack.past else None
        view = adversary.view(group, row, server_round, parameters=parameters, past=past)
        if finite:
            known_finite(view.own)
            if knows(attack.knowledge, "omniscient"):
                known_finite(view.honest)
        made.append(attack(view))
        if past:
            for worker in group:
                memory_of(worker).update(remembered(past, attack.name))
    if len(made) == 1:  # to take it apart into rows and stack those took as long as many an attack
        return contiguous(made[0])
    return namespace(made[0]).stack([row for rows in made for row in rows])
