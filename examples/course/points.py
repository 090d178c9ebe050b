"""The points of a notebook: its answers against a master's tests, in this process, without Jupyter.

An exercise rests on the cells of the set-up and on its own answer, never on another exercise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells import Cell


@dataclass(frozen=True)
class Score:
    """What an answer got.

    Attributes
    ----------
    exercise : str
    points, worth : int
        All of them or 0.
    why : str
        What went wrong, and in which part; "" for a right answer.
    """

    exercise: str
    points: int
    worth: int
    why: str = ""


def answers_in(notebook: Path) -> dict[str, str]:
    """Return the answers in a notebook, by exercise.

    Parameters
    ----------
    notebook : Path
        A student's, as this course or `nbgrader generate_assignment` made it.
    """
    found = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        if name.endswith("-answer"):
            found[name.removesuffix("-answer")] = "".join(cell["source"])
    return found


def run(text: str, where: str, names: dict[str, Any]) -> None:
    """Run a cell; `%%writefile FILE` writes the rest of it into a file instead.

    Parameters
    ----------
    text : str
    where : str
        For its tracebacks.
    names : dict
        What is defined; changed.
    """
    first, _, rest = text.partition("\n")
    if first.startswith("%%writefile "):
        Path(first.removeprefix("%%writefile ").strip()).write_text(rest + "\n", encoding="utf-8")
    else:
        exec(compile(text, where, "exec"), names)


def set_up(cells: list[Cell]) -> dict[str, Any]:
    """Run the set-up of a master, and return what it defines.

    Parameters
    ----------
    cells : list of Cell
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        if cell.part == "setup":
            run(cell.text, "set-up", names)
    return names


def grade(cells: list[Cell], answers: Mapping[str, str], names: Mapping[str, Any]) -> list[Score]:
    """Return a score for each exercise that has an answer.

    Parameters
    ----------
    cells : list of Cell
        The master's.
    answers : mapping
        Exercise -> code. The code runs here, with your rights.
    names : mapping
        As `set_up` returned it.
    """
    scores = []
    for name in dict.fromkeys(cell.exercise for cell in cells if cell.exercise):
        if name not in answers:
            continue
        parts = {cell.part: cell for cell in cells if cell.exercise == name}
        own, worth, why = dict(names), parts["answer"].points, ""
        steps = {"answer": answers[name], "tests": parts["tests"].text,
                 "hidden tests": parts["hidden"].text}  # fmt: skip
        for step, text in steps.items():
            try:
                # As with otter, tests see the answer, and nothing of one another.
                run(text, f"{name}, {step}", own if step == "answer" else dict(own))
            except Exception as error:  # whatever a student's code does
                why = f"{step}: {type(error).__name__}: {error}"
                break
        scores.append(Score(name, 0 if why else worth, worth, why))
    return scores
