"""What a person asked for on the command line, checked before anything is started."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from signfed.app.config.keys import KEYS
from signfed.app.errors import ConfigError
from signfed.app.runs.resuming import earlier

PAIR = re.compile(r"(\S+?)=('[^']*'|\"[^\"]*\"|\S+)")


def asked_for(config: list[str], out_dir: str | None, resume: str | None) -> dict[str, Any]:
    """The run config that a command line means; a resumed run brings its own.

    No path in it is relative: Flower's processes run elsewhere.
    """
    values = given_keys(config)
    if out_dir is not None:
        if "out-dir" in values:
            raise ConfigError("out-dir: expected either --out or -c out-dir, got both")
        values["out-dir"] = out_dir
    resume = resume or values.get("resume")
    if resume:
        values = earlier(Path(resume)) | values | {"resume": str(Path(resume).resolve())}
    values.setdefault("data-dir", KEYS["data-dir"].default)
    for key in ("data-dir", "out-dir"):
        if isinstance(given := values.get(key), str) and given:
            values[key] = str(Path(given).expanduser().resolve())
    return values


def given_keys(config: list[str]) -> dict[str, Any]:
    """Flower's own syntax; what it would silently pass over is an error here."""
    import click  # slow, and only here
    from flwr.common.config import parse_config_args

    given = " ".join(config)
    wrong = ConfigError(f"-c: expected key=value pairs, with 'quotes' around text; got {given}")
    if any(PAIR.sub("", text).strip() for text in config if not text.endswith(".toml")):
        raise wrong
    try:
        return dict(parse_config_args(config))
    except click.ClickException:
        raise wrong from None
    except (ValueError, OSError) as error:
        raise ConfigError(f"-c: {error}") from None
