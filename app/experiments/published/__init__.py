"""What the papers print, number by number, with table and setting: facts, read from CSV files.

`signguard.csv` (Xu et al. 2022, Tables I to III), `election.csv` (Sohn et al. 2020, Table A.1) and
`byzfl.csv` (the heatmaps of ByzFL's documentation, read off the pictures to two digits).
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Cell:
    """One published number.

    Attributes
    ----------
    table, model, defense, attack : str
        As the paper calls them.
    setting : mapping of str to str
        What else it depends on, such as {"n": "50"}; what has no "=" is a key to "".
    value : float
        In the paper's unit; infinite for "never".
    """

    table: str
    model: str
    defense: str
    attack: str
    setting: dict[str, str]
    value: float


def published(paper: str, **having: str) -> list[Cell]:
    """Return the published numbers of a paper, in its order.

    Parameters
    ----------
    paper : {"signguard", "election", "byzfl"}
    **having : str
        Columns and the value that they have, such as table="Table I".

    Returns
    -------
    list of Cell

    Examples
    --------
    >>> clean = published("signguard", table="Table I", dataset="MNIST", attack="No Attack")
    >>> [(cell.defense, cell.value) for cell in clean[:2]]
    [('Mean', 99.23), ('TrMean', 98.23)]
    """
    text = files(__name__).joinpath(f"{paper}.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return [_cell(row) for row in rows if all(row[key] == value for key, value in having.items())]


def _cell(row: dict[str, str]) -> Cell:
    pairs = (part.partition("=") for part in row["setting"].split(";"))
    return Cell(
        row["table"], row["model"], row["defense"], row["attack"],
        {key.strip(): value for key, _, value in pairs},
        math.inf if row["value"] == "inf" else float(row["value"]),
    )  # fmt: skip
