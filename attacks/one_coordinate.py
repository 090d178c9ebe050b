"""One coordinate moved: near the honest in distance, far from them in one place."""

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.attacks.core.arrays import namespace
from signfed.attacks.core.attack import attack
from signfed.attacks.core.rows import all_send, deviation, finite, mean
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Range


@attack(knowledge="omniscient", stage="gradient", tensors=True)
def one_coordinate(
    view: View,
    *,
    shift: Annotated[
        float,
        Field(gt=0, allow_inf_nan=False, description="what is added to the coordinate"),
        Range(0.1, 1000.0, log=True),
    ] = 4.0,
) -> np.ndarray:
    """Send the honest mean with one coordinate moved: mu + gamma e_c.

    mu is the mean of the finite honest rows, and c the coordinate in which they differ most (of
    equals the first). Honest rows are about s sqrt(N) from one another, s being their deviation in
    a coordinate, while this row is gamma from their mean: a rule that goes by distances in N
    dimensions takes it for the most central of all, and a step of lr gamma is made in c in each
    round. A rule that looks at one coordinate at a time sees the outlier.

    Parameters
    ----------
    view : View
        `honest`: float32 [h, N].
    shift : float, > 0
        gamma.

    Returns
    -------
    ndarray, float32 [b, N]
        The same row for all.

    Examples
    --------
    >>> from signfed import craft
    >>> craft("one-coordinate", [[0.0, 0.0]], [[1.0, 1.0], [1.0, 3.0]], n_total=3, seed=0)
    array([[1., 6.]], dtype=float32)

    References
    ----------
    El Mhamdi, Guerraoui & Rouault 2018, "The Hidden Vulnerability of Distributed Learning in
    Byzantium", section 3; krum 0.9's experiment of that name takes gamma = 4.

    Notes
    -----
    Deviation: gamma is given; the paper takes the largest with which the rule still chooses the
    row. The paper's text was not at hand: which coordinate is taken is krum's.
    """
    honest = finite(view.honest)
    mu = mean(honest)
    most = namespace(mu).argmax(deviation(honest, mu))
    mu[most[None]] += shift  # a vector of one place: to look at a number would be to wait for it
    return all_send(mu, len(view.own))
