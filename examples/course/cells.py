"""A master in percent format: its cells, and the three notebooks that are made of them.

A master is a Python file that editors open as a notebook. A line `# %%` starts a cell of code,
`# %% [markdown]` one of prose. What else the line may say:

    # %% include="digits.py"                    the cells of another file stand here
    # %% part="setup"                           what all exercises rest on
    # %% [markdown] exercise="vote" points=2    an exercise; the three that follow belong to it
    # %% part="answer"                          the solution between `# BEGIN SOLUTION` and its END
    # %% part="tests"                           what the student sees
    # %% part="hidden"                          what only the grader runs

`# %%writefile FILE` in a cell is Jupyter's `%%writefile FILE`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MASTERS = HERE / "masters"
MISTAKES = HERE / "mistakes"  # a file a lesson: `# %% exercise="vote" mistake="a tie is -1"`
MAGIC = "# %%writefile "  # a comment in a master, so that it stays Python
GIVEN = re.compile(r'(\w+)=("[^"]*"|\d+)')
MARKER = re.compile(rf"^# %%(?: \[(markdown)\])?((?: {GIVEN.pattern})*)\s*$")
SOLUTION = re.compile(r"^( *)# BEGIN SOLUTION\n.*?^ *# END SOLUTION\n?", re.MULTILINE | re.DOTALL)
STUB = r"\1# your code here\n\1raise NotImplementedError\n"
FIRST = "# Tests of your answer above. They print nothing if its basics are right.\n"
PARTS = ("exercise", "answer", "tests", "hidden")
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
          "language_info": {"name": "python"}}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A cell of a master.

    Attributes
    ----------
    text : str
        Prose or code, without the marker.
    prose : bool
        Whether it is Markdown.
    part : str
        "", "setup", or one of PARTS.
    exercise : str
        The exercise that it belongs to; "" for none.
    points : int
        What the exercise is worth.
    """

    text: str
    prose: bool = False
    part: str = ""
    exercise: str = ""
    points: int = 0

    @property
    def without_solution(self) -> str:
        """The text that a student gets."""
        return SOLUTION.sub(STUB, self.text + "\n").rstrip("\n")


def blocks(file: Path) -> list[tuple[bool, dict[str, str], str]]:
    """Return the blocks of a file in percent format: whether it is prose, its marker, its text.

    Parameters
    ----------
    file : Path

    Raises
    ------
    ValueError
        When a marker cannot be read.
    """
    found: list[tuple[bool, dict[str, str], str]] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("# %%") and not line.startswith(MAGIC):
            if (marker := MARKER.match(line)) is None:
                raise ValueError(f"{file.name}: expected a marker as in cells.py; got {line!r}")
            given = {name: value.strip('"') for name, value in GIVEN.findall(marker[2])}
            found.append((marker[1] is not None, given, ""))
        elif found:  # what stands above the first marker is for the reader of the file
            prose, given, text = found[-1]
            more = line.removeprefix("#").removeprefix(" ") if prose else line
            more = more.removeprefix("# ") if line.startswith(MAGIC) else more
            found[-1] = (prose, given, f"{text}{more}\n")
    return [(prose, given, text.strip("\n")) for prose, given, text in found]


def read(master: Path) -> list[Cell]:
    """Return the cells of a master.

    Parameters
    ----------
    master : Path

    Raises
    ------
    ValueError
        When a marker cannot be read, or an exercise lacks one of its parts.
    """
    cells: list[Cell] = []
    for prose, given, text in blocks(master):
        if "include" in given:
            cells += read(master.parent / given["include"])
            continue
        part = "exercise" if "exercise" in given else given.get("part", "")
        cell = Cell(text, prose, part, given.get("exercise", ""), int(given.get("points", 0)))
        if part in PARTS[1:]:
            last = cells[-1]
            cell = replace(cell, exercise=last.exercise, points=last.points)
        cells.append(cell)
    for name in dict.fromkeys(cell.exercise for cell in cells if cell.exercise):
        if (found := tuple(cell.part for cell in cells if cell.exercise == name)) != PARTS:
            raise ValueError(f"{master.name}, {name}: expected the parts {PARTS}; got {found}")
    return cells


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that somebody might give.

    Attributes
    ----------
    exercise : str
    what : str
        What is wrong with it.
    answer : str
        Code.
    """

    exercise: str
    what: str
    answer: str


def mistakes(lesson: str) -> list[Mistake]:
    """Return the wrong answers to a lesson's exercises that are known.

    Parameters
    ----------
    lesson : str
        The name of its master, without `.py`.
    """
    found = blocks(MISTAKES / f"{lesson}.py")
    return [Mistake(given["exercise"], given["mistake"], text) for _, given, text in found]


def _cell(number: int, kind: str, text: str, **metadata: Any) -> dict[str, Any]:
    made = {"cell_type": kind, "id": f"cell-{number}", "metadata": metadata, "source": text}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _notebook(cells: list[dict[str, Any]]) -> dict[str, Any]:
    return {"cells": cells, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}


def for_nbgrader(cells: list[Cell], *, solved: bool = True) -> dict[str, Any]:
    """Return the notebook that `nbgrader generate_assignment` takes, or a student's.

    Parameters
    ----------
    cells : list of Cell
    solved : bool
        With solutions and hidden tests.
    """
    made = []
    for i, cell in enumerate(cells):
        text, metadata = cell.text if solved else cell.without_solution, {}
        if cell.part == "hidden":
            continue  # stands in the cell of the tests before it
        if cell.part == "tests":
            text = FIRST + text
        if cell.part == "tests" and solved:
            text += f"\n# BEGIN HIDDEN TESTS\n{cells[i + 1].text}\n# END HIDDEN TESTS"
        if cell.part in ("answer", "tests"):
            tests = cell.part == "tests"
            metadata["nbgrader"] = {
                "grade": tests, "solution": not tests, "locked": tests, "task": False,
                "grade_id": f"{cell.exercise}-{cell.part}", "schema_version": 3,
            } | ({"points": cell.points} if tests else {})  # fmt: skip
        made.append(_cell(len(made), "markdown" if cell.prose else "code", text, **metadata))
    return _notebook(made)


def for_otter(cells: list[Cell], name: str) -> dict[str, Any]:
    """Return the notebook that `otter assign` takes.

    Parameters
    ----------
    cells : list of Cell
    name : str
        Of the assignment.
    """
    config = f"# ASSIGNMENT CONFIG\nname: {name}\nexport_cell:\n  pdf: false"
    parts = [("raw", config)]
    for cell in cells:
        if cell.part == "exercise":
            about = f"name: {cell.exercise}\npoints: {cell.points}\nall_or_nothing: true"
            parts += [("raw", f"# BEGIN QUESTION\n{about}"), ("markdown", cell.text)]
        elif cell.part == "answer":
            parts += [("raw", "# BEGIN SOLUTION"), ("code", cell.text), ("raw", "# END SOLUTION")]
        elif cell.part == "tests":
            parts += [("raw", "# BEGIN TESTS"), ("code", cell.text)]
        elif cell.part == "hidden":
            parts += [("code", f"# HIDDEN\n{cell.text}"), ("raw", "# END TESTS")]
            parts += [("raw", "# END QUESTION")]
        else:
            parts.append(("markdown" if cell.prose else "code", cell.text))
    return _notebook([_cell(i, *part) for i, part in enumerate(parts)])


def text_of(notebook: dict[str, Any]) -> str:
    """Return a notebook as the text of its file.

    Parameters
    ----------
    notebook : dict
    """
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
