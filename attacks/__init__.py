"""What a lying node sends: pure functions on arrays, each with the knowledge that it needs.

>>> import numpy as np
>>> craft("sign-inversion", np.array([[1.0, -2.0]], dtype=np.float32), n_total=3, seed=0)
array([[-1.,  2.]], dtype=float32)
"""

from __future__ import annotations

import numpy as np

from attacks.base import Attack, View, attack
from attacks.gaussian import gaussian
from attacks.none import none
from attacks.sign_inversion import sign_inversion
from attacks.stochastic_sign_flip import stochastic_sign_flip

ATTACKS: dict[str, Attack] = {
    "none": none,
    "sign-inversion": sign_inversion,
    "stochastic-sign-flip": stochastic_sign_flip,
    "gaussian": gaussian,
}

__all__ = ["ATTACKS", "Attack", "View", "attack", "craft"]


def craft(
    name: str,
    own: np.ndarray,
    honest: np.ndarray | None = None,
    *,
    n_total: int,
    seed: int,
    **options: object,
) -> np.ndarray:
    """One call of a named attack on arrays: own [b, N] (and honest [h, N]) -> crafted [b, N].

    own: float32 [b, N], what the b attackers would have sent honestly. Not changed.
    honest: float32 [h, N]; passed on only to an attack that declared knowledge "omniscient".
    n_total: number of workers, attackers included.
    seed: row i draws from a generator of (seed, i).
    Raises ValueError for an unknown name, an option out of its range, or missing honest rows.
    """
    if name not in ATTACKS:
        raise ValueError(f"unknown attack {name!r}; expected one of {', '.join(ATTACKS)}")
    chosen = ATTACKS[name]
    omniscient = chosen.knowledge == "omniscient"
    if omniscient and honest is None:
        raise ValueError(f"attack {name!r} needs the honest rows: pass honest=[h, N]")
    generators = tuple(np.random.default_rng([seed, row]) for row in range(len(own)))
    view = View(own, generators, n_total, honest if omniscient else None)
    return chosen(view, **options)
