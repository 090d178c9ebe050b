"""The course: every notebook runs, its solutions get all points, and no known wrong answer does."""

from __future__ import annotations

import importlib
import json
import logging
import re
import sys

import nbformat
import pytest
from typer.testing import CliRunner

from tests.examples.apps import EXAMPLES

COURSE = EXAMPLES / "course"
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(COURSE))
    cells, points, course = map(importlib.import_module, ("cells", "points", "course"))
LESSONS = list(course.LESSONS)


@pytest.fixture(autouse=True)
def as_before(tmp_path, monkeypatch):
    """A folder of its own; what a lesson's set-up changes in this process is taken back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    level = logging.getLogger("signfed").level
    yield
    logging.getLogger("signfed").setLevel(level)
    for name in ("my_rule", "my_attack"):
        sys.modules.pop(name, None)


def master(lesson):
    return cells.read(course.LESSONS[lesson])


def committed(lesson):
    return json.loads((COURSE / f"{lesson}.ipynb").read_text(encoding="utf-8"))


def without_outputs(notebook):
    made = json.loads(json.dumps(notebook))
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return made


def printed(notebook):
    """The numbers in each cell's text."""
    texts = [
        "".join(out.get("text", "") for out in c.get("outputs", ())) for c in notebook["cells"]
    ]
    return [[float(number) for number in re.findall(r"-?\d+\.\d+", text)] for text in texts]


def pictures(notebook):
    outputs = [cell.get("outputs", ()) for cell in notebook["cells"]]
    return [sum("image/png" in out.get("data", {}) for out in each) for each in outputs]


def test_there_are_six():
    assert [lesson[0] for lesson in LESSONS] == list("123456")


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_solved_notebook_runs_and_says_what_the_committed_one_says(lesson, tmp_path):
    ran, kept = course.students(lesson, tmp_path), committed(lesson)
    assert without_outputs(ran) == without_outputs(kept), "python examples/course/course.py build"
    assert pictures(ran) == pictures(kept) and sum(pictures(kept)) >= 1
    for found, expected in zip(printed(ran), printed(kept), strict=True):
        assert found == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("lesson", LESSONS)
def test_students_get_no_solution_and_no_hidden_test(lesson):
    notebook = committed(lesson)
    nbformat.validate(nbformat.from_dict(notebook))
    text = "\n".join(cell["source"] for cell in notebook["cells"])
    assert "BEGIN" not in text
    for cell in master(lesson):
        if cell.part == "answer":
            assert cell.without_solution in text and cell.text not in text
        if cell.part == "hidden":
            assert cell.text not in text
    assert all("outputs" not in cell or not cell["outputs"] or "nbgrader" not in cell["metadata"]
               for cell in notebook["cells"])  # fmt: skip


@pytest.mark.parametrize("lesson", LESSONS)
def test_wrong_answers_get_no_points(lesson):
    wrong, exercises = cells.mistakes(lesson), master(lesson)
    names = points.set_up(exercises)
    assert {each.exercise for each in wrong} == {c.exercise for c in exercises if c.exercise}
    empty = {c.exercise: c.without_solution for c in exercises if c.part == "answer"}
    assert all(score.points == 0 for score in points.grade(exercises, empty, names))
    for each in wrong:
        [score] = points.grade(exercises, {each.exercise: each.answer}, names)
        assert score.points == 0 and "test" in score.why, each.what


def test_enough_wrong_answers_are_known_and_some_only_to_the_hidden_tests():
    assert sum(len(cells.mistakes(lesson)) for lesson in LESSONS) >= 20
    exercises = master(LESSONS[0])
    names, first = points.set_up(exercises), cells.mistakes(LESSONS[0])[0]
    [score] = points.grade(exercises, {first.exercise: first.answer}, names)
    assert score.why.startswith("hidden tests")


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_form_that_nbgrader_takes(lesson):
    found = [c["metadata"]["nbgrader"] | {"source": c["source"], "type": c["cell_type"]}
             for c in cells.for_nbgrader(master(lesson))["cells"] if c["metadata"]]  # fmt: skip
    assert len({each["grade_id"] for each in found}) == len(found)
    assert all(each["schema_version"] == 3 and each["type"] == "code" for each in found)
    for answer, tests in zip(found[::2], found[1::2], strict=True):
        assert answer["solution"] and not answer["grade"] and not answer["locked"]
        assert tests["grade"] and tests["locked"] and tests["points"] > 0
        markers = re.findall(r"^ *# (BEGIN|END) (.*)$", answer["source"], re.MULTILINE)
        assert markers == [("BEGIN", "SOLUTION"), ("END", "SOLUTION")]
        markers = re.findall(r"^# (BEGIN|END) (.*)$", tests["source"], re.MULTILINE)
        assert markers == [("BEGIN", "HIDDEN TESTS"), ("END", "HIDDEN TESTS")]


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_form_that_otter_takes(lesson):
    notebook = cells.for_otter(master(lesson), lesson)
    nbformat.validate(nbformat.from_dict(notebook))
    kinds = [(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]
    raw = [text.splitlines()[0].removeprefix("# ") for kind, text in kinds if kind == "raw"]
    of_one = ["BEGIN QUESTION", "BEGIN SOLUTION", "END SOLUTION", "BEGIN TESTS", "END TESTS",
              "END QUESTION"]  # fmt: skip
    exercises = [cell for cell in master(lesson) if cell.part == "exercise"]
    assert raw == ["ASSIGNMENT CONFIG", *of_one * len(exercises)]
    assert sum(text.startswith("# HIDDEN\n") for _, text in kinds) == len(exercises)
    text = "\n".join(text for _, text in kinds)
    assert all(f"name: {c.exercise}\npoints: {c.points}\nall_or" in text for c in exercises)


def handed_in(folder, who="ada", **instead):
    """Lesson 1 with its solutions, or with other answers to some exercises."""
    notebook = committed(LESSONS[0])
    answers = {c.exercise: c.text for c in master(LESSONS[0]) if c.part == "answer"} | instead
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        if name.endswith("-answer"):
            cell["source"] = answers[name.removesuffix("-answer")].splitlines(keepends=True)
    file = folder / f"{who}-{LESSONS[0]}.ipynb"
    file.write_text(json.dumps(notebook), encoding="utf-8")
    return str(file)


def test_notebooks_are_graded(tmp_path):
    done = CliRunner().invoke(course.app, ["grade", handed_in(tmp_path)])
    assert done.exit_code == 0 and "8 of 8" in done.output, done.output
    done = CliRunner().invoke(course.app, ["grade", handed_in(tmp_path, pack="1 / 0")])
    assert done.exit_code == 1 and "6 of 8" in done.output
    assert "answer: ZeroDivisionError" in done.output
    done = CliRunner().invoke(course.app, ["grade", "ada.ipynb"])
    assert done.exit_code == 2 and "--lesson" in done.output


def test_what_one_answer_does_is_no_matter_to_the_others(tmp_path):
    """Lesson 1's other answers keep their points, whatever one of them does."""
    for does, why in {
        "import sys\nsys.exit(0)": "answer: SystemExit: 0",
        "import os\nos._exit(0)": "its process ended with exit code 0",
        "": "no answer",
    }.items():
        files = [handed_in(tmp_path, pack=does), handed_in(tmp_path, "bob")]
        done = CliRunner().invoke(course.app, ["grade", *files])
        assert done.exit_code == 1, done.output
        assert "6 of 8" in done.output and "8 of 8" in done.output and why in done.output


@pytest.mark.parametrize("text", [None, "", "[]", '{"cells": [{}]}', '{"cells": ["x"]}'])
def test_a_notebook_that_cannot_be_read_does_not_end_the_grading(text, tmp_path, monkeypatch):
    monkeypatch.setattr(course, "grade_apart", lambda master, answers: [])
    broken = tmp_path / f"bob-{LESSONS[0]}.ipynb"
    if text is not None:
        broken.write_text(text)
    done = CliRunner().invoke(course.app, ["grade", str(broken), handed_in(tmp_path)])
    assert done.exit_code == 1 and "expected a notebook" in done.output, done.output
    assert f"ada-{LESSONS[0]}.ipynb: 0 of 0" in done.output


def test_an_answer_without_an_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(points, "SECONDS", 1.0)
    done = CliRunner().invoke(course.app, ["grade", handed_in(tmp_path, pack="while True: pass")])
    assert done.exit_code == 1 and "pack: 0 of 2  took more than 1 s" in done.output, done.output


def test_the_file_of_the_student_before_gives_no_points(tmp_path):
    exercises = master(LESSONS[5])
    names = points.set_up(exercises)
    answer = next(c.text for c in exercises if c.part == "answer" and c.exercise == "attack")
    for later in ("", answer.partition("\n")[2]):  # the second one: not into a file
        given = points.grade(exercises, {"attack": answer}, names)
        found = points.grade(exercises, {"attack": later}, names)
        assert [score.points for score in given + found] == [6, 0], found
    assert not list(tmp_path.glob("my_*"))


def test_exports_are_written(tmp_path):
    settings = tmp_path / "nbgrader" / "nbgrader_config.py"
    for tool in ("nbgrader", "otter"):
        assert CliRunner().invoke(course.app, [tool, tool]).exit_code == 0
    assert "timeout = 180" in settings.read_text()
    settings.write_text("# the teacher's own\n")
    assert CliRunner().invoke(course.app, ["nbgrader", "nbgrader"]).exit_code == 0
    assert settings.read_text() == "# the teacher's own\n"
    for lesson in LESSONS:
        assert (tmp_path / "nbgrader" / "source" / lesson / f"{lesson}.ipynb").is_file()
        assert (tmp_path / "otter" / f"{lesson}.ipynb").is_file()


def test_the_readme_lists_every_lesson_with_its_points():
    text = (COURSE / "README.md").read_text(encoding="utf-8")
    wrong = sum(len(cells.mistakes(lesson)) for lesson in LESSONS)
    exercises = [cell for lesson in LESSONS for cell in master(lesson) if cell.part == "exercise"]
    assert f"{len(exercises)} exercises" in text and f"{wrong} wrong answers" in text
    for lesson in LESSONS:
        worth = sum(cell.points for cell in master(lesson) if cell.part == "exercise")
        assert re.search(rf"\({re.escape(lesson)}\.ipynb\).*\| {worth} \|\n", text), lesson


@pytest.mark.parametrize(
    "text, says",
    [
        ("# %% part='answer'\n", "expected a marker"),
        ('# %% [markdown] exercise="a" points=1\n# %% part="answer"\n', "expected the parts"),
    ],
)
def test_a_master_that_cannot_be_read_says_why(text, says, tmp_path):
    file = tmp_path / "9-wrong.py"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        cells.read(file)
