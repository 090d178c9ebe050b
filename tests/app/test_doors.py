"""What a part of `app` may import, and what the command line loads before it has to."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[2] / "app"
HEAVY = ("flwr", "matplotlib", "pydantic", "ray", "sklearn", "torch", "torchvision")


def imported(file):
    """Every signfed.app module that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("signfed.app."):
            yield node.module.removeprefix("signfed.app.")


@pytest.mark.parametrize(
    "room, may",
    [("report", ("runs", "errors", "config")), ("config", ("task", "errors"))],
)
def test_a_room_keeps_to_its_neighbours(room, may):
    for file in sorted((APP / room).rglob("*.py")):
        others = {name.partition(".")[0] for name in imported(file)} - {room}
        assert others <= set(may), f"{file.name} imports {others}"


def test_a_command_is_a_file_and_the_command_line_registers_it():
    from signfed.app import cli

    names = {command.name or command.callback.__name__ for command in cli.app.registered_commands}
    names |= {group.name for group in cli.app.registered_groups}
    shared = {"__init__", "answer", "common"}
    assert names == {file.stem for file in (APP / "commands").glob("*.py")} - shared


def test_the_command_line_starts_without_what_a_run_needs():
    code = f"import sys, signfed.app.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
