"""How every picture looks: figures without global state, colours that differ for everybody."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from textwrap import fill
from typing import TYPE_CHECKING, Any

from signfed.app.errors import installed

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with any colour vision; dashes and markers differ, too.
BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, "#e69f00", "#56b4e9", "#7f7f7f")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
INK = "#1b1c20"  # of text and axes; the page's own colour of text where the SVG stands in one
WIDTH, HEIGHT = 5.0, 3.1  # inches of a panel: text of 10 points is readable at 390 pixels
PNG_DPI = 144
SVG_ATTRIBUTES = re.compile(r'(\bid="|url\(#|href="#)')
SVG_EXTRAS = re.compile(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", re.DOTALL)


def figure_of(
    n_panels: int = 1, *, width: float = WIDTH, height: float = HEIGHT, below: float = 0.0
) -> Any:
    """Return a figure and its panels, two in a row at most.

    Parameters
    ----------
    n_panels : int
        How many.
    width, height : float
        Inches of one panel.
    below : float
        Inches below them, for a legend.

    Returns
    -------
    Figure, list of Axes

    Raises
    ------
    ConfigError
        When matplotlib is not installed.
    """
    with installed("a picture"):
        from matplotlib.figure import Figure

    columns = min(n_panels, 2)
    rows = -(-n_panels // columns)
    figure = Figure(figsize=(width * columns, height * rows + below), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for unused in axes[n_panels:]:
        unused.remove()
    for each in axes[:n_panels]:
        dress(each)
    return figure, axes[:n_panels]


def stacked(heights: Sequence[float], width: float = WIDTH) -> Any:
    """Return a figure with panels above one another.

    Parameters
    ----------
    heights : sequence of float
        Inches of each panel.
    width : float
        Inches.

    Returns
    -------
    Figure, list of Axes

    Raises
    ------
    ConfigError
        When matplotlib is not installed.
    """
    with installed("a picture"):
        from matplotlib.figure import Figure

    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    panels = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
    axes = panels.flatten().tolist()
    for each in axes:
        dress(each)
    return figure, axes


def dress(axes: Axes) -> None:
    """Give the axes their look: two spines, a faint grid, ink of one colour."""
    axes.set_facecolor("none")
    axes.grid(True, color="#999999", alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.tick_params(colors=INK)
    axes.set_title("", loc="left", color=INK)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set_color(INK)


def line_styles() -> Iterator[dict[str, Any]]:
    """Yield what tells one line from the next: colour, dashes and marker, all three."""
    for number, (colour, marker) in enumerate(zip(cycle(COLOURS), cycle(MARKERS), strict=False)):
        yield {"color": colour, "marker": marker, "linestyle": DASHES[number % len(DASHES)]}


def legend(figure: Figure, panels: Sequence[Axes], title: str = "", note: str = "") -> None:
    """Put one legend for all panels below them, where it hides no line.

    Parameters
    ----------
    figure : Figure
        The picture.
    panels : sequence of Axes
        Whose lines are named, each name once.
    title, note : str
        What the names are values of, and what the bands are.
    """
    named: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    if not named:
        return
    heading = f"{title} ({note})" if title and note else title or note
    heading = fill(heading, int(12.5 * figure.get_figwidth()))
    room = 11 * figure.get_figwidth()  # letters in a line
    shown = figure.legend(
        named.values(), named.keys(), title=heading or None, loc="outside lower left",
        ncols=max(1, min(len(named), int(room / (max(map(len, named)) + 7)))), frameon=False,
        fontsize=9, title_fontsize=9, labelcolor=INK, alignment="left",
    )  # fmt: skip
    shown.get_title().set_color(INK)


def logarithmic(axes: Axes, name: str) -> None:
    """Make an axis logarithmic, with plain numbers: names are no formulas, so labels are none.

    Parameters
    ----------
    axes : Axes
    name : {"x", "y"}
    """
    from matplotlib.ticker import LogFormatter

    axes.set(**{f"{name}scale": "log"})
    axis = axes.xaxis if name == "x" else axes.yaxis
    axis.set_major_formatter(LogFormatter())
    axis.set_minor_formatter(LogFormatter(labelOnlyBase=False))


def in_per_cent(axis: Axis) -> None:
    """Label the ticks of an axis in per cent; its data stay shares."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))


def same_height(figures: Sequence[Figure]) -> None:
    """Give the first axes of all figures the same range of y, so that they can be compared.

    Parameters
    ----------
    figures : sequence of Figure
        Pictures of the same quantity.
    """
    panels = [figure.axes[0] for figure in figures]
    if panels:
        low, high = zip(*(axes.get_ylim() for axes in panels), strict=True)
        for axes in panels:
            axes.set_ylim(min(low), max(high))


def _settle(figure: Figure) -> None:
    """Lay the figure out once: each time that it is saved the engine would do so twice."""
    if (engine := figure.get_layout_engine()) is not None:
        texts: Any = figure.findobj(lambda artist: hasattr(artist, "set_parse_math"))
        for text in texts:
            text.set_parse_math(False)  # a name with a dollar in it is no formula
        engine.execute(figure)
        figure.set_layout_engine("none")


@contextmanager
def _plain_svg() -> Iterator[None]:
    """Text as text, and the same file for the same picture."""
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "signfed"}):
        yield


def svg_of(figure: Figure, name: str, description: str) -> str:
    """Return a picture as SVG that stands in an HTML page.

    Parameters
    ----------
    figure : Figure
        The picture.
    name : str
        Prefix of the ids in it, which no other picture of the page may have; letters, digits and
        hyphens.
    description : str
        What it shows, for whoever cannot see it.

    Returns
    -------
    str
        One svg element without a background; text and axes have the colour of the page's text.
    """
    from html import escape

    stream = io.StringIO()
    _settle(figure)
    with _plain_svg():
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = SVG_EXTRAS.sub("", text[text.index("<svg") :])
    text = SVG_ATTRIBUTES.sub(lambda found: f"{found[1]}{name}-", text).replace(INK, "currentColor")
    head = f'<svg role="img" aria-label="{escape(description)}" '
    return head + text.removeprefix("<svg ").strip()


def save_png(figure: Figure, file: Path) -> None:
    """Write a picture as PNG.

    Parameters
    ----------
    figure : Figure
        The picture.
    file : Path
        Which one.
    """
    _settle(figure)
    figure.savefig(file, format="png", dpi=PNG_DPI, facecolor="white")
