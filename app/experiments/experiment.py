"""What an experiment is: a published figure or table as sweeps, claims and a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from signfed.app.experiments.sweep import Sweep
from signfed.app.runs.sweeps import Row

Rows = Sequence[Row]


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds: the published number or ordering beside ours.

    Attributes
    ----------
    published, ours, tolerance : str
        As they stand in the table; the tolerance with its reason.
    says : str
        `HOLDS`, `FAILS`, `UNDECIDED` (what was measured is within its error of where it would turn)
        or `NOT_TRIED` of `app.report.published`.
    """

    published: str
    ours: str
    tolerance: str
    says: str


@dataclass(frozen=True)
class Claim:
    """What the paper says of the figure or table, and how it is judged.

    Attributes
    ----------
    text : str
        The claim in a sentence.
    source : str
        Where it stands: "Section V-B", "Table I".
    judge : callable
        Rows of the experiment, one a cell -> Verdict.
    of_rounds : bool
        Whether the judge gets one row a round instead.
    """

    text: str
    source: str
    judge: Callable[[Rows], Verdict]
    of_rounds: bool = False


@dataclass(frozen=True)
class Setting:
    """One size of an experiment.

    Attributes
    ----------
    sweep : Sweep
        The runs.
    minutes : float
        On 2 cores.
    note : str
        What is smaller than in the paper, and which setting has the rest of it; empty where nothing
        is.
    estimated : bool
        Whether the minutes are an estimate: from a few rounds, or from a machine that did other
        things, too.
    then : callable, optional
        Of a search: the sweep and its rows -> the sweep that the claims are judged on.
    choices : sequence of str, optional
        In place of the experiment's, where another choice is what the setting is about.
    """

    sweep: Sweep
    minutes: float
    note: str = ""
    estimated: bool = True
    then: Callable[[Sweep, Rows], Sweep] | None = None
    choices: Sequence[str] | None = None


@dataclass(frozen=True)
class Experiment:
    """One published figure or table.

    Attributes
    ----------
    name : str
        As `signfed reproduce` takes it: "fd-fig1a".
    paper : str
        Key of the paper: "park-2024", "mengoli-2025", "xu-2022", "sohn-2020", ...
    title : str
        What it shows, in a sentence.
    full, quick : Setting
        The paper's, or a part of it that its note names, and one of about ten minutes at most on 2
        cores that still shows the claim.
    claims : sequence of Claim
    pictures : sequence
        Kinds of `app.report.pictures`, each drawn from the rows.
    choices : sequence of str
        What the paper leaves open, and what is taken here: true of every setting that has none
        of its own.
    others : mapping of str to Setting
        More settings by name: the same claims on other data.
    remarks : mapping of str to str
        Setting -> what was found there: why a claim does not hold, what the numbers mean.
    tables : sequence
        Published numbers that stand beside ours as text alone: those of `app.experiments.times`.
    """

    name: str
    paper: str
    title: str
    full: Setting
    quick: Setting
    claims: Sequence[Claim]
    pictures: Sequence[Any]
    choices: Sequence[str] = ()
    others: Mapping[str, Setting] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[Any] = ()

    @property
    def settings(self) -> dict[str, Setting]:
        """All settings by name, "full" first."""
        return {"full": self.full, "quick": self.quick, **self.others}

    def choices_of(self, setting: str) -> Sequence[str]:
        """Return what is taken in a setting where the paper leaves something open.

        Parameters
        ----------
        setting : str
            Its name.
        """
        own = self.settings[setting].choices
        return self.choices if own is None else own

    @property
    def of_rounds(self) -> bool:
        """Whether something that is shown is of rounds; those of many runs fill gigabytes."""
        shown = (*self.claims, *self.pictures, *self.tables)
        return any(getattr(each, "of_rounds", False) for each in shown)
