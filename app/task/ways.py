"""How a run computes its gradients, and why so."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from signfed.app.task.activations import samples_that_fit, saved_bytes
from signfed.app.task.batched import LARGE, BatchedGradients
from signfed.app.task.card import card_bytes
from signfed.app.task.gradients import Gradients
from signfed.app.task.many import ManyGradients, Way
from signfed.app.task.seeded import watched
from signfed.app.task.shared import NotShared, SharedGradients, check, difference

# A matrix of gradients is handed over whole where it takes at most a GPU's memory divided by this.
WHOLE = 64

log = logging.getLogger("signfed")


@dataclass(frozen=True, eq=False)
class Chosen:
    """A way to the gradients of a round.

    Attributes
    ----------
    way : str
        "shared", "vmap" or "loop".
    because : str
        Why not another one.
    many : ManyGradients or None
        Computes them; None where each worker's is computed by itself.
    """

    way: str
    because: str
    many: ManyGradients | None = None


def choose(
    wanted: Way,
    gradients: Gradients,
    parameters: np.ndarray,
    rounds: tuple[Sequence[int], Sequence[int]],
    *,
    own: bool = False,
) -> Chosen:
    """Choose the way, by trying it: "auto" takes on a CPU the fastest with the loop's bits.

    On a GPU it takes the shared pass. What a network has no form for falls back to vmap, and from
    there to one worker at a time.

    Parameters
    ----------
    wanted : {"auto", "shared", "vmap", "loop"}
    gradients : Gradients
    parameters : ndarray, float32 [N]
        Of the start.
    rounds : (sequence of int, sequence of int)
        Whom the first two rounds ask.
    own : bool
        Whether the data set is a user's, whose function may look at a whole batch.

    Returns
    -------
    Chosen
        With its reason.
    """
    on_cpu = gradients.device.type == "cpu"
    refused: list[str] = []
    if wanted == "shared" or (wanted == "auto" and not on_cpu):
        try:
            return _shared(gradients, parameters, rounds[0], own)
        except NotShared as error:
            refused.append(f"shared: {error}")
    if wanted != "loop":
        because = _no_vmap(wanted, gradients, parameters, rounds, own)
        if isinstance(because, BatchedGradients):
            meant = [f"gradients={wanted!r}" if wanted == "vmap" else "small, and the loop's bits"]
            return Chosen("vmap", "; ".join(refused or meant), because)
        refused.append(f"vmap: {because}")
    chosen = Chosen("loop", "; ".join(refused) or "gradients='loop'")
    if wanted in ("shared", "vmap"):
        log.warning("gradients=%r: %s", wanted, chosen.because)
    return chosen


def _shared(
    gradients: Gradients, parameters: np.ndarray, asked: Sequence[int], own: bool
) -> Chosen:
    shared = SharedGradients(gradients, each_input=own)
    try:
        check(shared, parameters, _two(gradients, asked))
        if gradients.device.type == "cuda":
            torch.cuda.empty_cache()  # what the trial took may be a neighbour's share
            total = card_bytes(gradients.device)
            some, _ = gradients.samples(np.zeros(2, np.int64))
            shared.samples = samples_that_fit(saved_bytes(gradients.model, some), total)
            shared.whole = total // WHOLE
    except NotShared:
        raise
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:  # whatever a user's network makes of two workers' samples
        raise NotShared(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error
    return Chosen("shared", "every parameter has a form for all workers at once", shared)


def _no_vmap(
    wanted: Way,
    gradients: Gradients,
    parameters: np.ndarray,
    rounds: tuple[Sequence[int], Sequence[int]],
    own: bool,
) -> BatchedGradients | str:
    """The gradients by vmap, or why there are none."""
    on_cpu, forced = gradients.device.type == "cpu", wanted == "vmap"
    if on_cpu and not forced and len(parameters) >= LARGE:
        return f"{LARGE:,} parameters or more, one worker a core is as fast on a CPU"
    batched = BatchedGradients(gradients, each_input=own)
    with watched() as drawn:
        works = batched.works(parameters, rounds[0], 1)
    if not works:
        return "an operation has no such form"
    if drawn:  # what a loss draws would be recorded once and for all
        return "the loss draws"
    if not on_cpu or forced:
        found = difference(batched, parameters, _two(gradients, rounds[0]))
        return found or batched
    same = all(batched.agrees(parameters, asked, t) for t, asked in enumerate(rounds, 1))
    return batched if same else "other bits than the loop's on this machine"


def _two(gradients: Gradients, asked: Sequence[int]) -> tuple[int, ...]:
    """Two workers, or one: those with the smallest and the largest batch."""
    sizes = gradients.batch_sizes
    two = {min(asked, key=sizes.__getitem__), max(reversed(asked), key=sizes.__getitem__)}
    return tuple(sorted(two))
