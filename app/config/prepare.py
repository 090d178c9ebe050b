"""The run config that a command line means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from signfed.app.config.keys import KEYS
from signfed.app.config.pairs import given_keys
from signfed.app.errors import ConfigError
from signfed.app.runs.resuming import earlier


def asked_for(config: list[str], out_dir: str | None, resume: str | None) -> dict[str, Any]:
    """Read `-c`, `--out` and `--resume`; a resumed run brings its own keys.

    No path in the result is relative: Flower's processes run elsewhere.

    Raises
    ------
    ConfigError
        For what cannot be read, or is given twice.
    """
    values = given_keys(config)
    for name, option, given in (("out-dir", "--out", out_dir), ("resume", "--resume", resume)):
        if given is not None:
            if name in values:
                raise ConfigError(f"{name}: expected either {option} or -c {name}; got both")
            values[name] = given
    for key in ("data-dir", "out-dir", "resume"):
        if isinstance(path := values.get(key), str) and path:
            values[key] = str(Path(path).expanduser().resolve())
    if isinstance(path := values.get("resume"), str) and path:
        values = earlier(Path(path)) | values
    return {"data-dir": str(Path(str(KEYS["data-dir"].default)).resolve())} | values
