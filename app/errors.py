"""What a user can have got wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class ConfigError(ValueError):
    """The user asked for something that cannot be run; the text says what was expected."""


# Optional packages, and the extra of pyproject.toml that installs each.
EXTRA_OF = {
    "jinja2": "report",
    "matplotlib": "report",
    "pyarrow": "report",
    "ray": "simulation",
    "rocrate": "tracking",
    "sklearn": "simulation",
    "tensorboard": "tracking",
    "torchvision": "simulation",
}


@contextmanager
def installed(purpose: str) -> Iterator[None]:
    """Import optional packages within; a missing one is a ConfigError that names its extra.

    Parameters
    ----------
    purpose : str
        What needs the package, as the subject of a sentence: "task='digits'".
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA_OF:
            raise
        raise ConfigError(
            f"{purpose} needs the package {package}, which is not installed; expected: "
            f"pip install 'signfed[{EXTRA_OF[package]}]'"
        ) from error
