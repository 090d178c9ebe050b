"""`signfed new`: a Flower app of one's own, made of the example `my_strategy`."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from signfed.app.commands.common import out, refusing
from signfed.app.config.own_modules import NEEDED
from signfed.app.errors import ConfigError

# Beside the folder `app` in a checkout and in a wheel alike.
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "my_strategy"
KINDS = (".md", ".py", ".toml")
LONGEST = 32  # of the name of a Flower app


def new(
    name: Annotated[str, typer.Argument(help="of the folder and of its module: clipped-mean")],
) -> None:
    """Make a Flower app of your own: a rule, an attack, a test, run by flwr and by signfed.

    Exit code 2: the name will not do, or there is something of that name already.
    """
    with refusing():
        made = make(name, Path.cwd())
    module, _, rule = names_of(name).values()
    config = (
        f"strategy='{module}.strategy:{rule}' attack='{module}.attack:opposite' num-byzantine=3 "
        "lr=0.2"
    )
    lines = [
        f"made {made}; your rule goes into {made.name}/{module}/strategy.py",
        f"  cd {made.name}",
        f'  signfed run --engine local -c "{config}"',
        f"  signfed check {module}.strategy:{rule}",
        "  pytest",
    ]
    for line in lines:
        out.print(line, soft_wrap=True, highlight=False, markup=False)


def make(name: str, parent: Path) -> Path:
    """Write the app into a new folder.

    Parameters
    ----------
    name : str
        Small letters and digits, with - or _ between.
    parent : Path
        Where the folder goes.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ConfigError
        When the name will not do, or there is something of that name already.
    """
    names, folder = names_of(name), parent / name
    try:
        folder.mkdir()  # never one that is there
        for file in sorted(EXAMPLE.rglob("*")):
            if file.suffix in KINDS:
                place = folder / _renamed(str(file.relative_to(EXAMPLE)), names)
                place.parent.mkdir(parents=True, exist_ok=True)
                text = _renamed(file.read_text(encoding="utf-8"), names)
                place.write_text(text, encoding="utf-8")
    except FileExistsError:
        raise ConfigError(f"{folder}: expected a new name; there is something already") from None
    except OSError as error:
        raise ConfigError(f"cannot write {folder}: {error.strerror}") from error
    return folder


def names_of(name: str) -> dict[str, str]:
    """Return what stands for the names of the example: module, app and class.

    Parameters
    ----------
    name : str
        As it was given.

    Raises
    ------
    ConfigError
        When the name will not do.

    Examples
    --------
    >>> list(names_of("clipped-mean").values())
    ['clipped_mean', 'clipped-mean', 'ClippedMean']
    """
    module = name.replace("-", "_")
    rule = "".join(part.capitalize() for part in module.split("_"))
    if not re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", name) or len(name) > LONGEST:
        raise ConfigError(
            f"name: expected at most {LONGEST} small letters and digits, with - or _ between, such "
            f"as clipped-mean; got {name!r}"
        )
    text = (EXAMPLE / "my_strategy" / "strategy.py").read_text(encoding="utf-8")
    imported = re.findall(r"\w+", " ".join(re.findall(r"^from .*|^import .*", text, re.MULTILINE)))
    hidden = {*NEEDED, *sys.stdlib_module_names, *keyword.kwlist, *imported, "tests"}
    if module in hidden or rule in hidden or _installed(module):
        raise ConfigError(
            f"name: expected one that is not taken; {module!r}, or the class {rule}, would hide "
            "what Python or a package calls so"
        )
    return {"my_strategy": module, "my-strategy": module.replace("_", "-"), "MyStrategy": rule}


def _installed(module: str) -> bool:
    found = find_spec(module)
    return found is not None and found.origin is not None and "-packages" in found.origin


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for old, new_ in names.items():
        text = text.replace(old, new_)
    return text
