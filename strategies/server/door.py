"""The package's door: strategies import nothing of the app, and get by it what is the app's."""

from importlib import import_module
from typing import Any

# `RunRecorder` keeps a run, `report` shows it, `admission` says which nodes take part.
package: Any = import_module("signfed")
