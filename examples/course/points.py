"""The points of a notebook: its answers against a master's tests, without Jupyter.

An exercise rests on the cells of the set-up and on its own answer, never on another exercise.

python points.py MASTER SCORES SECONDS    grades the answers on standard input; see `grade_apart`
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cells import Cell, read

SECONDS = 600.0  # for an answer; right ones take a minute together


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
    """Return a score for each exercise that has an answer; each is graded in an empty folder.

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
    for name in exercises_of(cells):
        if name in answers:
            parts = {cell.part: cell for cell in cells if cell.exercise == name}
            with TemporaryDirectory(ignore_cleanup_errors=True) as folder, chdir(folder):
                scores.append(_score(parts, answers[name], names))
    return scores


def exercises_of(cells: list[Cell]) -> list[str]:
    """Return the names of a master's exercises, in their order.

    Parameters
    ----------
    cells : list of Cell
    """
    return list(dict.fromkeys(cell.exercise for cell in cells if cell.exercise))


def _score(parts: Mapping[str, Cell], answer: str, names: Mapping[str, Any]) -> Score:
    name, worth, own = parts["answer"].exercise, parts["answer"].points, dict(names)
    if not answer.strip():
        return Score(name, 0, worth, "no answer")
    steps = {"answer": answer, "tests": parts["tests"].text, "hidden tests": parts["hidden"].text}
    for step, text in steps.items():
        try:
            # As with otter, tests see the answer, and nothing of one another.
            run(text, f"{name}, {step}", own if step == "answer" else dict(own))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a student's code does, sys.exit() too
            return Score(name, 0, worth, f"{step}: {type(error).__name__}: {error}")
    return Score(name, worth, worth)


def grade_apart(master: Path, answers: Mapping[str, str]) -> list[Score]:
    """Return a score for each exercise of a lesson, graded in a process of its own.

    What an answer changes there, or leaves behind, is gone for the next notebook. An answer that
    ends the process, or takes longer than `SECONDS`, gets 0; the others go on in a new one.

    Parameters
    ----------
    master : Path
    answers : mapping
        Exercise -> code; one that is missing gets 0.
    """
    cells = read(master)
    left = {name: answers.get(name, "") for name in exercises_of(cells)}
    worth = {cell.exercise: cell.points for cell in cells}
    scores: list[Score] = []
    while left:
        found, end = _graded_until(master, left)
        scores += found
        for score in found:
            del left[score.exercise]
        if left:
            ended = next(iter(left))
            scores.append(Score(ended, 0, worth[ended], end))
            del left[ended]
    return scores


def _graded_until(master: Path, answers: Mapping[str, str]) -> tuple[list[Score], str]:
    """The scores that a process came to, and how it ended."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        scores = Path(folder) / "scores.jsonl"
        process = subprocess.Popen(
            [sys.executable, __file__, str(master), str(scores), str(SECONDS)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            process.communicate(json.dumps(answers).encode())
        finally:  # with what an answer started, such as `signfed check`
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if not scores.exists():
            raise RuntimeError(f"the set-up of {master.name} failed; see the error above")
        lines = scores.read_text(encoding="utf-8").splitlines()
    late = process.returncode == -signal.SIGALRM
    end = f"its process ended with exit code {process.returncode}"
    return [Score(**json.loads(line)) for line in lines], (
        f"took more than {SECONDS:g} s" if late else end
    )


def main(master: str, scores: str, seconds: str) -> None:
    """Grade the answers on standard input, JSON; write each score into a file as it comes.

    Parameters
    ----------
    master, scores : str
        Files.
    seconds : str
        For an answer; after that the process ends by SIGALRM.
    """
    answers, cells = json.load(sys.stdin), read(Path(master))
    names = set_up(cells)
    with Path(scores).open("x", encoding="utf-8") as file:
        for name in answers:
            signal.setitimer(signal.ITIMER_REAL, float(seconds))
            for score in grade(cells, {name: answers[name]}, names):
                file.write(json.dumps(asdict(score)) + "\n")
                file.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
