"""A user's own modules: found in the folder where the command is started."""

from __future__ import annotations

import sys
from pathlib import Path

from signfed.app.errors import ConfigError

# What signfed, Flower and Ray import; the standard library comes on top.
NEEDED = frozenset({
    "PIL", "attr", "certifi", "click", "cryptography", "fastapi", "filelock", "flwr", "google",
    "grpc", "httpx", "iterators", "joblib", "jsonschema", "matplotlib", "msgpack", "numpy",
    "packaging", "pathspec", "psutil", "pydantic", "ray", "requests", "rich", "safetensors",
    "scipy", "signfed", "sklearn", "sqlalchemy", "starlette", "threadpoolctl", "tomli", "tomli_w",
    "torch", "torchvision", "typer", "typing_extensions", "uvicorn", "yaml",
})  # fmt: skip


def find_own_modules(folder: Path) -> None:
    """Let `module:Name` find the modules of this folder.

    Parameters
    ----------
    folder : Path
        Where the command was started.

    Raises
    ------
    ConfigError
        When a file there has the name of a module that is needed: it would be imported instead.
    """
    check_names(folder)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def check_names(folder: Path) -> None:
    """Raise ConfigError when a file in this folder hides a module that is needed."""
    for name in sorted(NEEDED | sys.stdlib_module_names):
        for file in (folder / f"{name}.py", folder / name / "__init__.py"):
            if file.exists() and not _is_ours(file):
                kind = "Python's own" if name in sys.stdlib_module_names else "the package"
                raise ConfigError(
                    f"{file}: hides {kind} {name!r}, which is needed here; rename it, or start "
                    "signfed in another folder"
                )


def _is_ours(file: Path) -> bool:
    """Whether this is signfed itself: its checkout, which Flower may run a copy of."""
    import signfed

    ours = Path(signfed.__file__)
    return file.parts[-2:] == ours.parts[-2:] and file.read_bytes() == ours.read_bytes()
