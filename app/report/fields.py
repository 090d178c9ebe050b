"""A table of colours with a text in each field: what heatmaps and published tables share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from signfed.app.report.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONG = 6  # letters; where a column's name has more, all names are turned


def draw_fields(
    axes: Axes,
    values: np.ndarray,
    texts: Sequence[Sequence[str]],
    names: tuple[Sequence[str], Sequence[str]],
    *,
    limits: tuple[float, float],
    colours: str,
    size: float = 9,
) -> Any:
    """Draw the fields, first row on top.

    Parameters
    ----------
    axes : Axes
        Where.
    values : ndarray, float [R, C]
        NaN for a field without a colour.
    texts : sequence of sequence of str
        [R, C].
    names : tuple of two sequences of str
        Of rows and columns.
    limits : tuple of float
        Values of the first and the last colour.
    colours : str
        Name of a colour map.
    size : float
        Points of the text.

    Returns
    -------
    QuadMesh
        For the scale.
    """
    axes.grid(False)
    mesh = axes.pcolormesh(
        np.ma.masked_invalid(values), cmap=colours, vmin=limits[0], vmax=limits[1],
        edgecolor="white", linewidth=1,
    )  # fmt: skip
    for (row, column), value in np.ndenumerate(values):
        colour = INK
        if np.isfinite(value):
            red, green, blue, _ = mesh.to_rgba(np.array([value]))[0]
            light = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2  # luminance
            colour = "black" if light > 0.18 else "white"
        axes.text(
            column + 0.5, row + 0.5, texts[row][column], ha="center", va="center", fontsize=size,
            color=colour,
        )  # fmt: skip
    rows, columns = names
    axes.set(
        ylim=(len(rows), 0), xlim=(0, len(columns)),
        xticks=np.arange(len(columns)) + 0.5, yticks=np.arange(len(rows)) + 0.5,
    )  # fmt: skip
    turned = max(map(len, columns), default=0) > LONG
    aside: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticklabels(columns, **(aside if turned else {}))
    axes.set_yticklabels(rows)
    axes.tick_params(length=0)
    return mesh


def draw_scale(figure: Figure, mesh: Any, panels: Sequence[Axes], says: str) -> Any:
    """Draw the scale of the colours below the panels.

    Parameters
    ----------
    figure : Figure
        The picture.
    mesh : QuadMesh
        Of any panel.
    panels : sequence of Axes
        All panels that it belongs to.
    says : str
        Its label.

    Returns
    -------
    Colorbar
    """
    scale = figure.colorbar(
        mesh, ax=list(panels), location="bottom", shrink=0.8, aspect=40, pad=0.02
    )
    scale.set_label(says, color=INK, fontsize=9)
    scale.outline.set_visible(False)
    scale.ax.tick_params(colors=INK, labelsize=8)
    return scale
