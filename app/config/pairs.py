"""`key=value` pairs as one types them: values as in TOML, and words as they are."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError

PAIR = re.compile(r"""(\S+?)=('[^']*'|"(?:[^"\\]|\\.)*"|\[[^]]*]|\S+)""")
WORD = re.compile(r"[A-Za-z./~]([\w./~:,+-]*[\w./~])?")  # shells take quotation marks away
FORM = (
    "expected key=value pairs, with quotation marks around text that is not one word, "
    "such as lr=0.1 task=digits"
)


def given_keys(config: Sequence[str]) -> dict[str, Any]:
    """Read what was given with `-c`: pairs, or one TOML file.

    Parameters
    ----------
    config : sequence of str
        Each "key=value ...", or the path of a file.

    Returns
    -------
    dict
        By key, as TOML reads the values; they are not checked.

    Raises
    ------
    ConfigError
        For text that is no pair, and for a key that is given twice.
    """
    if any(text.endswith(".toml") for text in config):
        if len(config) > 1:
            raise ConfigError("-c: expected one TOML file alone, or key=value pairs; got both")
        return _from_file(Path(config[0]).expanduser())
    return read_pairs("-c", " ".join(config))


def read_pairs(label: str, text: str) -> dict[str, Any]:
    """Read pairs.

    Parameters
    ----------
    label : str
        What an error calls them.
    text : str
        Such as `lr=0.1 task='digits'`.

    Returns
    -------
    dict
        By key, as TOML reads the values; a word that is no TOML is text.

    Raises
    ------
    ConfigError
        For text that is no pair, and for a key that is given twice.

    Examples
    --------
    >>> read_pairs("strategy-options", "radius=3 mode='soft' where=left exact=true")
    {'radius': 3, 'mode': 'soft', 'where': 'left', 'exact': True}
    """
    found: dict[str, Any] = {}
    if left := PAIR.sub("", text).strip():
        raise ConfigError(f"{label}: {FORM}; got {left}")
    for key, value in PAIR.findall(text):
        if key in found:
            raise ConfigError(f"{label}: expected {key} once; got it twice, the second as {value}")
        try:
            found[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            if not WORD.fullmatch(value):
                raise ConfigError(f"{label}: {FORM}; got {key}={value}") from None
            found[key] = value
    return found


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return dict(flat(tomllib.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError) as error:
        raise ConfigError(f"-c {path}: {error}") from None


def flat(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield run-config keys and values: `lie.z = 0.3` is a table of a table in TOML.

    Parameters
    ----------
    tables : mapping
        As TOML reads them.
    prefix : str
        What every key begins with.

    Examples
    --------
    >>> dict(flat({"lr": 0.1, "lie": {"z": 0.3}}))
    {'lr': 0.1, 'lie.z': 0.3}
    """
    for name, value in tables.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
