"""The folder that `flwr run` takes as the app: the checkout, or a copy of what pip installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import signfed
from signfed.app.config.keys import as_toml

# What Flower asks of an app's pyproject.toml, before the run-config keys.
APP = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "signfed"
version = "0"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "signfed"

[tool.flwr.app.components]
serverapp = "signfed.app.server_app:app"
clientapp = "signfed.app.client_app:app"

"""


def app_folder(scratch: Path) -> Path:
    """Return the folder of the Flower app: the checkout, or else a copy made below `scratch`."""
    root = Path(signfed.__file__).resolve().parent
    if not (root / "app").is_dir():
        return root.parent
    shutil.copytree(root, scratch / "signfed", ignore=shutil.ignore_patterns("__pycache__"))
    (scratch / "pyproject.toml").write_text(APP + as_toml(), encoding="utf-8")
    return scratch
