"""Flower's names where Flower is not installed: rounds in one process use none of its code."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

UNUSED = ("flwr", "safetensors", "tomli_w", "cryptography")  # by rounds in one process
ENUMERATIONS = {"MessageType"}  # whose members are read when a class is made


class _Named(type):
    """Of classes whose attributes are their own names, such as those of an enumeration."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class _Names(ModuleType):
    """A module in which every name is an empty class."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = (_Named if name in ENUMERATIONS else type)(name, (), {})
        setattr(self, name, made)
        return made


class _Finder(MetaPathFinder, Loader):
    def __init__(self, missing: set[str]) -> None:
        self._missing = missing

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return (
            ModuleSpec(name, self, is_package=True) if name.split(".")[0] in self._missing else None
        )

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        made = _Names(spec.name)
        made.__path__ = []  # a package, as far as imports go
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


def without_flower() -> bool:
    """Put empty classes in the place of Flower's where it is missing, and of others; tell whether.

    A rule is a Flower Strategy and a worker a NumPyClient, so their files name those classes. The
    local engine calls nothing of theirs.
    """
    missing = {name for name in UNUSED if not _is_there(name)}
    if missing:
        sys.meta_path.insert(0, _Finder(missing))
    if not _is_there("threadpoolctl"):  # products on a CPU then take as many threads as they do
        module = ModuleType("threadpoolctl")
        free = type("ThreadpoolController", (), {"limit": lambda self, **given: nullcontext()})
        vars(module).update(ThreadpoolController=free, threadpool_limits=nullcontext)
        sys.modules["threadpoolctl"] = module
    return "flwr" in missing


def _is_there(name: str) -> bool:
    try:
        return name in sys.modules or find_spec(name) is not None
    except ImportError:
        return False
