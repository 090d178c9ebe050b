"""A sweep as a TOML file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from signfed.app.config.keys import KEYS
from signfed.app.config.pairs import flat
from signfed.app.errors import ConfigError
from signfed.app.experiments.sweep import Choose, Sweep

TOP = ("name", "seeds", "engine", "config", "grid", "cases", "choose")


def read_sweep(file: Path) -> Sweep:
    """Read a sweep file.

    Parameters
    ----------
    file : Path
        TOML: name, seeds (a list, or how many), engine, [config], [grid], [[cases]], [choose].

    Returns
    -------
    Sweep

    Raises
    ------
    ConfigError
        With everything that is wrong with the file itself; the cells are checked later.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # TOML or UTF-8
        raise ConfigError(f"{file}: expected TOML: {error}") from None
    wrong = [
        f"{name}: expected one of {', '.join(TOP)}{_near(name, TOP)}"
        for name in content
        if name not in TOP
    ]
    reader = _Reader(content, wrong)
    sweep = Sweep(
        name=reader.of("name", str, file.stem),
        config=reader.keys("config", reader.of("config", dict, {})),
        grid=reader.grid(),
        cases=reader.cases(),
        seeds=reader.seeds(),
        engine=reader.of("engine", str, "local"),
        choose=reader.choose(),
    )
    if wrong:
        raise ConfigError(f"{file}: nothing was started\n" + "\n".join(wrong))
    return sweep


class _Reader:
    """The parts of the file; what is wrong is collected."""

    def __init__(self, content: Mapping[str, Any], wrong: list[str]) -> None:
        self._content, self._wrong = content, wrong

    def of(self, name: str, kind: type, default: Any) -> Any:
        value = self._content.get(name, default)
        if isinstance(value, kind):
            return value
        kinds: dict[type, str] = {
            str: "text",
            dict: f"a table, [{name}]",
            list: f"tables, [[{name}]]",
        }
        self._wrong.append(f"{name}: expected {kinds[kind]}; got {value!r}")
        return default

    def keys(self, where: str, table: Mapping[str, Any]) -> dict[str, Any]:
        keys = dict(flat(table))
        for key in keys:
            if key not in KEYS:
                self._wrong.append(f"{where}: unknown key {key!r}{_near(key, KEYS)}")
        return keys

    def grid(self) -> dict[str, Sequence[Any]]:
        grid = self.keys("grid", self.of("grid", dict, {}))
        for key, values in grid.items():
            if not isinstance(values, list) or not values:
                self._wrong.append(f"grid: {key}: expected a list of values; got {values!r}")
        return grid

    def cases(self) -> list[dict[str, Any]]:
        cases = self.of("cases", list, [{}])
        if not cases or not all(isinstance(case, dict) for case in cases):
            self._wrong.append(f"cases: expected tables, [[cases]]; got {cases!r}")
            return [{}]
        return [self.keys(f"case {i}", case) for i, case in enumerate(cases, 1)]

    def seeds(self) -> list[int]:
        seeds = self._content.get("seeds", [0])
        if type(seeds) is int and seeds >= 1:
            return list(range(seeds))
        if isinstance(seeds, list) and seeds and all(type(seed) is int for seed in seeds):
            return seeds
        self._wrong.append(f"seeds: expected how many, or a list of seeds; got {seeds!r}")
        return [0]

    def choose(self) -> Choose | None:
        table = self.of("choose", dict, {})
        if not table:
            return None
        over, worst = table.get("over"), table.get("worst-of", "attack")
        names = over if isinstance(over, list) else []
        if not names or not all(isinstance(n, str) for n in (*names, worst)):
            self._wrong.append("choose: over: expected a list of keys, over = ['lr']")
            return None
        for name in table:
            if name not in ("over", "worst-of"):
                self._wrong.append(f"choose: expected over and worst-of; got {name!r}")
        return Choose(tuple(names), worst)


def _near(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
