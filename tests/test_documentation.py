"""The commands that README and docs print: each is taken by the command line as it stands there."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from signfed.app import cli
from signfed.app.config.pairs import given_keys
from signfed.app.config.run_config import build_strategy, parse

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page, language):
    return [
        text for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language
    ]


def commands(page):
    """Each `signfed ...` of a page as words, with the shell's variables put in."""
    for text in blocks(page, "sh"):
        variables = {}
        for line in text.replace("\\\n", " ").splitlines():
            for name, value in variables.items():
                line = line.replace(f"${name}", value)
            words = shlex.split(line, comments=True)
            if len(words) == 1 and (assigned := re.fullmatch(r"(\w+)=(.*)", words[0])):
                variables[assigned[1]] = assigned[2]
            if "signfed" in words and "pip" not in words:
                yield words[words.index("signfed") + 1 :]


CASES = [
    pytest.param(page, words, id=" ".join(words)) for page in PAGES for words in commands(page)
]


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """The files that a page shows, as a reader would have them."""

    def write(page):
        for text in blocks(page, "python"):
            if name := re.match(r"# (\w+)\.py\n", text):
                module = f"{name[1]}_of_{page.stem.lower()}"
                (tmp_path / f"{module}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        return lambda config: re.sub(r"'(clipped|mine):", rf"'\1_of_{page.stem.lower()}:", config)

    return write


def test_the_pages_print_commands():
    assert len(CASES) > 15 and {case.values[1][0] for case in CASES} >= {"run", "data", "bound"}


@pytest.mark.parametrize("page, words", CASES)
def test_a_printed_command_is_taken(page, words, modules):
    named = modules(page)
    values = given_keys([named(words[i + 1]) for i, word in enumerate(words) if word == "-c"])
    if words[0] == "run" and "--resume" not in words:
        build_strategy(parse(values))
    elif words[0] in ("run", "data", "redteam"):
        parse(values)
    elif words[0] in ("list", "bound"):
        result = CliRunner().invoke(cli.app, words)
        needs_more = "majority_vote_error" in words  # printed to show what it says then
        assert result.exit_code == (2 if needs_more else 0), result.output
    else:
        assert words[0] == "score"


@pytest.mark.parametrize("page, words", CASES)
def test_its_options_are_known(page, words):
    shown = CliRunner().invoke(cli.app, [words[0], "--help"], env={"COLUMNS": "200"}).output
    for word in words[1:]:
        if word.startswith("-"):
            assert word in shown
