"""A backdoor: a pixel pattern that is to be read as one class."""

from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed.attacks.core.attack import attack
from signfed.attacks.core.data import Batch, Trigger
from signfed.attacks.core.view import View
from signfed.strategies.core.options import Choice, Range

Position = Literal["bottom-right", "bottom-left", "top-right", "top-left", "center"]

# Where the square starts, as shares of the room there is below it and to its right.
PLACES: dict[Position, tuple[float, float]] = {
    "bottom-right": (1.0, 1.0),
    "bottom-left": (1.0, 0.0),
    "top-right": (0.0, 1.0),
    "top-left": (0.0, 0.0),
    "center": (0.5, 0.5),
}


def stamped(images: np.ndarray, size: int, position: Position, value: float) -> np.ndarray:
    """Return the images with a square of one value in all channels.

    Parameters
    ----------
    images : ndarray, float [..., H, W]
        They are not changed.
    size : int
        Side of the square, in pixels.
    position : str
        A key of `PLACES`.
    value : float
        What its pixels are set to.

    Raises
    ------
    ValueError
        When the square is larger than the images.

    Examples
    --------
    >>> stamped(np.zeros((3, 3)), 2, "bottom-left", 1.0)
    array([[0., 0., 0.],
           [1., 1., 0.],
           [1., 1., 0.]])
    """
    height, width = images.shape[-2:]
    if size > min(height, width):
        raise ValueError(
            f"backdoor.size: expected at most {min(height, width)}, the shorter side of the "
            f"images; got {size}"
        )
    down, right = PLACES[position]
    top, left = int(down * (height - size)), int(right * (width - size))
    changed = images.copy()
    changed[..., top : top + size, left : left + size] = value
    return changed


def square(target: int, size: int, position: Position, value: float) -> Trigger:
    """Return the trigger with these options of `backdoor`.

    Parameters
    ----------
    target, size, position, value
        As for `backdoor`.
    """
    return Trigger(target, partial(stamped, size=size, position=position, value=value))


@attack(knowledge="own", stage="data", trigger=square)
def backdoor(
    view: View,
    *,
    target: Annotated[
        int, Field(ge=0, description="class that images with the trigger are to be taken for")
    ] = 0,
    size: Annotated[int, Field(ge=1, description="side of the trigger, in pixels")] = 3,
    position: Annotated[
        Position, Field(description="where the trigger is"), Choice(("bottom-right",))
    ] = "bottom-right",
    value: Annotated[
        float,
        Field(ge=0, le=1, description="its pixels, 0 (black) to 1 (white)"),
        Choice((1.0,)),
    ] = 1.0,
    share: Annotated[
        float,
        Field(gt=0, le=1, description="share of a batch that gets the trigger"),
        Range(0.1, 1.0),
    ] = 0.5,
    boost: Annotated[
        float,
        Field(gt=0, allow_inf_nan=False, description="what the gradient is multiplied by"),
        Range(1.0, 100.0, log=True),
    ] = 1.0,
) -> Batch:
    """Train on images with a trigger that are labelled as the target class.

    ceil(share n) of the n images of a batch get the trigger, a square of one value, and the label
    `target`; the others stay as they are. The batch is in random order, so they are its first ones.
    The gradient is multiplied by `boost`.

    Parameters
    ----------
    view : View
        `own`: int64 [b, n], labels; `images`: float32 [b, n, C, H, W], from 0 to 1.
    target : int, 0 to C - 1
        The class.
    size, position, value
        Of the square, as for `stamped`.
    share : float in (0, 1]
        More of it makes a stronger backdoor, and costs accuracy where the mean follows it.
    boost : float, > 0
        Against rules on floats; n / b lets b workers replace all n in a mean. It has no effect on
        signs.

    Returns
    -------
    Batch
        Changed labels and images.

    Examples
    --------
    >>> from signfed import craft
    >>> images = np.zeros((1, 2, 1, 2, 2))
    >>> batch = craft("backdoor", [[7, 8]], images=images, n_total=3, seed=0, n_classes=10, size=1)
    >>> batch.labels, batch.images[0, :, 0].tolist()
    (array([[0, 8]]), [[[0.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])

    References
    ----------
    Gu et al. 2017 (BadNets), the pattern backdoor with a single target; boost: Bagdasaryan et al.
    2020 (model replacement), which scale a worker's whole update.

    Notes
    -----
    Deviation: a batch, not a training set, has the share, so that it is the same in every round.
    The trigger is put on after augmentation: it is where a test image has it.
    """
    count = int(np.ceil(round(share * view.own.shape[1], 9)))
    labels, images = view.own.copy(), view.images.copy()
    labels[:, :count] = target
    images[:, :count] = stamped(images[:, :count], size, position, value)
    return Batch(labels, images, boost)
