"""What a user can have got wrong."""

from __future__ import annotations


class ConfigError(ValueError):
    """The user asked for something that cannot be; the text says what would do."""
