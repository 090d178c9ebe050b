"""What a user can have got wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class ConfigError(ValueError):
    """The user asked for something that cannot be run; the text says what was expected."""


@contextmanager
def installed(extra: str, purpose: str) -> Iterator[None]:
    """Import optional packages within; a missing one is a ConfigError that names the extra.

    Parameters
    ----------
    extra : str
        Of pyproject.toml: "simulation" or "report".
    purpose : str
        What needs the package, as a subject: "task='digits'".
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{purpose} needs the package {error.name}, which is not installed; expected: "
            f"pip install 'signfed[{extra}]'"
        ) from error
