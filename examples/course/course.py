"""The course's notebooks: made of the masters, exported for graders, and graded.

python course.py build                 the notebooks of this folder, executed
python course.py nbgrader FOLDER       FOLDER/source/NAME/NAME.ipynb, for nbgrader
python course.py otter FOLDER          FOLDER/NAME.ipynb, for otter assign
python course.py grade FILE...         the points of students' notebooks, without either
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from cells import HERE, MASTERS, for_nbgrader, for_otter, read, text_of
from points import answers_in, grade_apart

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
NBGRADER = """c = get_config()  # seconds; its own 30 and 4 end a cell early on a busy machine
c.ExecutePreprocessor.timeout = 180
c.ExecutePreprocessor.iopub_timeout = 60
"""
LESSONS = {master.stem: master for master in sorted(MASTERS.glob("[1-9]-*.py"))}


def executed(notebook: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a notebook with its outputs, run by Jupyter's own client in a kernel of its own.

    Parameters
    ----------
    notebook : dict
    folder : Path
        Where it runs.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        When a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    node = nbformat.from_dict(notebook)
    nbformat.validate(node)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(node, timeout=180, record_timing=False, resources=resources).execute()
    for cell in node["cells"]:
        cell["metadata"].pop("execution", None)
    return node


def students(lesson: str, folder: Path) -> dict[str, Any]:
    """Return the notebook that students get: the master's outputs, without its solutions.

    Parameters
    ----------
    lesson : str
    folder : Path
        Where it runs.
    """
    cells = read(LESSONS[lesson])
    made = for_nbgrader(cells, solved=False)
    ran = executed(for_nbgrader(cells), folder)
    for cell, done in zip(made["cells"], ran["cells"], strict=True):
        if cell["cell_type"] == "code" and "nbgrader" not in cell["metadata"]:
            cell["outputs"], cell["execution_count"] = done["outputs"], done["execution_count"]
    return made


@app.command()
def build(
    lessons: Annotated[list[str] | None, typer.Argument(help="all by default")] = None,
) -> None:
    """Write the notebooks of this folder."""
    from tempfile import TemporaryDirectory

    for lesson in lessons or LESSONS:
        with TemporaryDirectory() as folder:
            made = students(lesson, Path(folder))
        (HERE / f"{lesson}.ipynb").write_text(text_of(made), encoding="utf-8")
        print(lesson)


@app.command()
def nbgrader(folder: Path) -> None:
    """Write the sources of nbgrader's assignments, and its settings where there are none yet."""
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), (folder / "nbgrader_config.py").open("x") as file:
        file.write(NBGRADER)
    for lesson, master in LESSONS.items():
        file = folder / "source" / lesson / f"{lesson}.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text_of(for_nbgrader(read(master))), encoding="utf-8")


@app.command()
def otter(folder: Path) -> None:
    """Write otter's master notebooks."""
    folder.mkdir(parents=True, exist_ok=True)
    for lesson, master in LESSONS.items():
        file = folder / f"{lesson}.ipynb"
        file.write_text(text_of(for_otter(read(master), lesson)), encoding="utf-8")


@app.command(name="grade")
def grade_files(
    files: list[Path],
    lesson: Annotated[str, typer.Option(help="where the files' names do not say it")] = "",
) -> None:
    """Print the points of students' notebooks. Their code runs with your rights."""
    complete = True
    for file in files:
        name = lesson or next((each for each in LESSONS if each in file.stem), "")
        if name not in LESSONS:
            print(f"{file}: expected one of {', '.join(LESSONS)} in its name, or --lesson")
            raise typer.Exit(2)
        try:
            answers = answers_in(file)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            print(f"{file}: expected a notebook that can be read; got {error!r}")
            complete = False
            continue
        scores = grade_apart(LESSONS[name], answers)
        total, worth = sum(s.points for s in scores), sum(s.worth for s in scores)
        print(f"{file}: {total} of {worth}")
        for score in scores:
            print(f"  {score.exercise}: {score.points} of {score.worth}  {score.why}")
        complete = complete and total == worth
    sys.exit(0 if complete else 1)


if __name__ == "__main__":
    app()
