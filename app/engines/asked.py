"""The run config that a command line means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from signfed.app.config.keys import KEYS
from signfed.app.errors import ConfigError
from signfed.app.runs.resuming import earlier


def asked_for(
    given: Mapping[str, Any], out_dir: str | None = None, resume: str | None = None
) -> dict[str, Any]:
    """Join the keys of `-c` with `--out` and `--resume`; a resumed run brings its own keys.

    Parameters
    ----------
    given : mapping
        Run-config keys.
    out_dir : str, optional
        The run folder.
    resume : str, optional
        A run folder, or one of its checkpoints, to go on with.

    Returns
    -------
    dict
        Run-config keys. No path in it is relative: Flower's processes run elsewhere.

    Raises
    ------
    ConfigError
        For a path that is given twice or is empty, or a run to resume that cannot be read.
    """
    values = dict(given)
    for name, option, path in (("out-dir", "--out", out_dir), ("resume", "--resume", resume)):
        if path is not None:
            if not path:  # of a variable that is not set, say: without it a new run would begin
                raise ConfigError(f"{option}: expected a path; got an empty text")
            if name in values:
                raise ConfigError(f"{name}: expected either {option} or -c {name}; got both")
            values[name] = path
    for key in ("data-dir", "out-dir", "resume"):
        if isinstance(path := values.get(key), str) and path:
            values[key] = str(Path(path).expanduser().resolve())
    if isinstance(path := values.get("resume"), str) and path:
        values = earlier(Path(path)) | values
    return {"data-dir": str(Path(str(KEYS["data-dir"].default)).resolve())} | values
