"""One call of an attack on arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike

from signfed.attacks.core.attack import Attack
from signfed.attacks.core.data import Batch
from signfed.attacks.core.findings import Findings
from signfed.attacks.core.past import Past
from signfed.attacks.core.rows import described, finite, mean, numbers, without_tensors
from signfed.attacks.core.seeing import view_of
from signfed.attacks.core.view import knows
from signfed.attacks.registry import build

if TYPE_CHECKING:  # attacks run where there is no torch
    from torch import Tensor

    Rows = ArrayLike | Tensor | Sequence[Tensor]


@overload
def craft(
    name: str,
    own: Rows,
    honest: Rows | None = ...,
    *,
    n_total: int,
    seed: int,
    images: None = ...,
    **more: Any,
) -> np.ndarray | Tensor: ...
@overload
def craft(
    name: str,
    own: Rows,
    honest: Rows | None = ...,
    *,
    n_total: int,
    seed: int,
    images: ArrayLike | Tensor,
    **more: Any,
) -> Batch: ...
def craft(
    name: str,
    own: Rows,
    honest: Rows | None = None,
    *,
    n_total: int,
    seed: int,
    server_round: int = 1,
    truth: ArrayLike | Tensor | None = None,
    past: Past | None = None,
    rule: Callable[[np.ndarray], ArrayLike] | None = None,
    findings: Findings | None = None,
    ids: Sequence[int] | None = None,
    honest_ids: Sequence[int] | None = None,
    n_classes: int | None = None,
    images: ArrayLike | Tensor | None = None,
    **options: object,
) -> np.ndarray | Tensor | Batch:
    """Compute what b Byzantine workers send in one round.

    Parameters
    ----------
    name : str
        Name of the attack, or `module:function` for your own.
    own : array_like or Tensor, float [b, N], or list of b rows
        What each of them would have sent honestly. For an attack on the data: labels, integers
        [b, n]. It is not changed.
    honest : array_like or Tensor, float [h, N], or list of h rows, optional
        The honest workers' rows. The attack gets them, as all that follows, only if it declared
        that it needs them.
    n_total : int
        Number of workers, Byzantine workers included.
    seed : int
        Row i draws from a generator of (seed, i), from round 2 on of (seed, i, server_round).
    server_round : int
        Number of the round, 1, 2, ...
    truth : array_like or Tensor, float [N], optional
        The gradient over the whole training set; by default the mean of the honest rows.
    past : Past, optional
        The model, what the server did last, and what the attack kept; the same object's memory goes
        into the next round. An attack that goes by earlier rounds needs it.
    rule : callable, optional
        The server's rule, for an attack that asks it: float32 [n, N] -> [N]. A rule object of
        signfed will do; copies of it are called.
    findings : Findings, optional
        What the server's rule found out in the last round; by default nothing.
    ids, honest_ids : sequence of int, optional
        Worker ids of the rows; by default 0..b-1, and the h that follow.
    n_classes : int, optional
        Number of classes of the labels.
    images : array_like, float [b, n, C, H, W], optional
        What the labels belong to, for an attack that changes images: from 0 (black) to 1 (white).
    **options
        Options of the attack and of the attacks that it is made of, as for `build`.

    Returns
    -------
    ndarray or Tensor, float32 [b, N]
        What they send; for an attack on the data, labels. A tensor on the same device where `own`
        is a tensor or a list of tensors, else an array. Where images were given, a `Batch` of
        arrays.

    Raises
    ------
    ValueError
        For an unknown name, a value outside its range, arrays of a wrong shape, missing honest
        rows, or an attack that returns anything but [b, N].
    TypeError
        For an option that does not exist.

    Examples
    --------
    >>> craft("lie", [[0.0, 0.0]], [[1.0, 2.0], [3.0, 2.0]], n_total=3, seed=0, z=0.0)
    array([[2., 2.]], dtype=float32)
    """
    attack = build(name, **options)
    first: Any = own[0] if isinstance(own, list | tuple) and own else own
    own, honest, truth, images = map(without_tensors, (own, honest, truth, images))
    rows = _matrix("own", own, whole=attack.stage == "data")
    ids = tuple(range(len(rows)) if ids is None else ids)
    attack, active = attack.at(server_round, seed, ids)
    if attack.stage == "data" and n_classes is None:
        raise ValueError(f"attack {name!r} changes labels: pass n_classes, the number of classes")
    if attack.past and past is None:
        raise ValueError(
            f"attack {name!r} goes by the model and earlier rounds: pass past=Past(model, ...)"
        )
    seen = _images(attack, images, rows)
    peers = np.empty((0, rows.shape[1]), np.float32)
    if knows(attack.knowledge, "omniscient"):
        if honest is None:
            raise ValueError(f"attack {name!r} needs the honest rows: pass honest=[h, N]")
        peers = _matrix("honest", honest, width=rows.shape[1])
    if honest_ids is None:
        honest_ids = range(max(ids, default=-1) + 1, max(ids, default=-1) + 1 + len(peers))
    workers = (*honest_ids, *ids)
    if len(set(workers)) != len(peers) + len(rows):
        raise ValueError(
            f"ids, honest_ids: expected {len(rows)} and {len(peers)} different worker ids, one for "
            f"each row; got {ids} and {tuple(honest_ids)}"
        )
    by_worker = dict(zip(workers, (*peers, *rows), strict=True))

    def true_gradient() -> np.ndarray:
        return np.asarray(mean(finite(peers)) if truth is None else truth, dtype=np.float32)

    crafted, boost = rows.copy(), 1.0
    later = () if server_round == 1 else (server_round,)
    if active:
        view = view_of(
            attack,
            active,
            by_worker.__getitem__,
            lambda worker: np.random.default_rng([seed, ids.index(worker), *later]),
            asked=workers,
            n_total=n_total,
            server_round=server_round,
            truth=true_gradient,
            past=past,
            rehearse=partial(_rehearsed, rule),
            findings=findings or Findings(),
            n_classes=n_classes,
            images=None if seen is None else lambda worker: seen[ids.index(worker)],
        )
        places = [ids.index(worker) for worker in active]
        if seen is None:
            crafted[places] = attack(view)
        else:
            batch = attack.poison(view)
            crafted[places], boost = batch.labels, batch.boost
            seen[places] = view.images if batch.images is None else batch.images
    if seen is not None:
        return Batch(crafted, seen, boost)
    if hasattr(first, "detach"):
        import torch

        return torch.from_numpy(crafted).to(first.device)
    return crafted


def _images(attack: Attack, images: ArrayLike | None, labels: np.ndarray) -> np.ndarray | None:
    """Return a copy of the images, float32; None without. Raises ValueError."""
    if images is None and attack.makes_trigger:
        raise ValueError(f"attack {attack.name!r} changes images: pass images, [b, n, C, H, W]")
    if images is None:
        return None
    if attack.stage != "data":
        raise ValueError(f"images: for an attack on the data; attack {attack.name!r} changes rows")
    found = numbers(images)
    if found is None or found.ndim != 5 or found.shape[:2] != labels.shape:
        raise ValueError(
            f"images: expected real numbers [b, n, C, H, W] with [b, n] = {list(labels.shape)}, as "
            f"own; got {described(images)}"
        )
    return found.astype(np.float32)


def _rehearsed(
    rule: Callable[[np.ndarray], ArrayLike] | None,
    honest: Mapping[int, np.ndarray],
    sent: Mapping[int, np.ndarray],
) -> np.ndarray:
    """Ask a copy of the rule, with finite rows by ascending worker id. Raises ValueError."""
    if rule is None:
        raise ValueError(
            "the attack asks the server's rule: pass rule, a function float32 [n, N] -> [N], such "
            "as lambda rows: aggregate('median', rows)"
        )
    rows = {**honest, **sent}
    matrix = finite(np.stack([rows[worker] for worker in sorted(rows)]))
    if not len(matrix):
        return np.full(matrix.shape[1], np.nan, np.float32)
    returned = without_tensors(deepcopy(rule)(matrix))
    direction = numbers(returned)
    if direction is None or direction.shape != matrix.shape[1:]:
        raise ValueError(
            f"rule: expected a function that returns {matrix.shape[1]} real numbers; it returned "
            f"{described(returned)}"
        )
    return direction.astype(np.float32, copy=False)


def _matrix(
    name: str, values: ArrayLike, *, width: int | None = None, whole: bool = False
) -> np.ndarray:
    """Return rows as a matrix, float32 or integers. Raises ValueError for anything else."""
    rows = numbers(values, whole=whole)
    if rows is not None and width is not None and not rows.size:
        return np.empty((0, width), np.float32)  # no honest worker: []
    if rows is None or rows.ndim != 2 or width not in (None, rows.shape[1]):
        each = "" if width is None else f", {width} each as in own"
        raise ValueError(
            f"{name}: expected an array or a list of rows of {'whole' if whole else 'real'} numbers"
            f"{each}; got {described(values)}"
        )
    return rows if whole else rows.astype(np.float32, copy=False)
