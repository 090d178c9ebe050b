"""A module as text: found without being imported, and taken apart into what counts of it."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path

import signfed

DOOR = "signfed"
Import = tuple[str, str, str]  # local name, module, name in it ("" for the module itself)


def read_source(module: str) -> str | None:
    """Return the source of a module of signfed's or of the user's; None for any other.

    Parameters
    ----------
    module : str
        Its absolute name. It is not imported.
    """
    top, *rest = module.split(".")
    path: list[str] | None = None
    names = [".".join([top, *rest[:i]]) for i in range(len(rest) + 1)]
    file = None
    if top == DOOR:
        path, file, names = list(signfed.__path__), signfed.__file__, names[1:]
    elif top in sys.stdlib_module_names:
        return None
    for name in names:
        spec = PathFinder.find_spec(name, path)
        if spec is None:
            return None
        file, path = spec.origin, list(spec.submodule_search_locations or ())
    if file is None:
        return ""  # a folder without __init__.py
    foreign = {"site-packages", "dist-packages"} & set(Path(file).parts) and top != DOOR
    return None if foreign or not file.endswith(".py") else Path(file).read_text(encoding="utf-8")


def digest(*parts: str) -> str:
    """Return the first 16 hexadecimal digits of the parts' SHA-256."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ParsedModule:
    """A module as it counts.

    Attributes
    ----------
    digest : str
        Of its code, without docstrings and without a registry's table.
    imports : tuple
        What counts of its imports.
    homes : mapping
        Local name -> module and name, of everything that it imports.
    entries : mapping
        Of a registry: name -> digest of the entry, and the imports that it mentions.
    """

    digest: str
    imports: tuple[Import, ...]
    homes: dict[str, tuple[str, str]]
    entries: dict[str, tuple[str, tuple[Import, ...]]]


@lru_cache(maxsize=1024)  # a pure function of the text, which seldom changes
def parsed(module: str, text: str, *, is_package: bool = False, registry: str = "") -> ParsedModule:
    """Take a module apart.

    Parameters
    ----------
    module : str
        Its absolute name.
    text : str
        Its source.
    is_package : bool
        Whether relative imports begin in it.
    registry : str
        Of a registry, the name of its table.

    Returns
    -------
    ParsedModule
    """
    tree = ast.parse(text)
    base = module if is_package else module.rpartition(".")[0]
    every = list(_imports(tree, base))
    running = list(_imports(_Stripped(typing=True).visit(ast.parse(text)), base))
    table = _table(tree, registry)
    entries = {}
    if table is not None:
        tree.body.remove(table[0])
        for key, value in zip(table[1].keys, table[1].values, strict=True):
            mentioned = tuple(each for each in every if each[0] in _names(value))
            name = str(ast.literal_eval(ast.unparse(key)) if key else "")
            entries[name] = (
                digest(ast.unparse(value), repr(mentioned)),
                mentioned,
            )
    if table is not None or module == DOOR:
        used = {"", *_names(tree)}
        running = [each for each in running if each[0] in used]
    code = ast.unparse(_Stripped(typing=True, imports=True).visit(tree))
    return ParsedModule(
        digest(code, repr(sorted(running))),
        tuple(running),
        {local: (target, name) for local, target, name in every if local},
        entries,
    )


class _Stripped(ast.NodeTransformer):
    """Without docstrings; without what is there for a type checker; without imports."""

    def __init__(self, *, typing: bool = False, imports: bool = False) -> None:
        self._typing, self._imports = typing, imports

    def visit_If(self, node: ast.If) -> ast.AST | None:
        typing = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if typing and self._typing else self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return None if self._imports else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if self._imports else node


def _imports(tree: ast.AST, base: str) -> Iterator[Import]:
    """What a module imports, by statements and by names that it gives `import_module`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            parts = base.split(".")
            above = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            target = ".".join(filter(None, (above, node.module)))
            for alias in node.names:
                yield alias.asname or alias.name, target, alias.name
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (("", name, "") for given in node.args[:1] for name in _written(given))


def _written(name: ast.expr) -> Iterator[str]:
    """The texts that an expression may be, where they are written down."""
    if isinstance(name, ast.IfExp):
        yield from _written(name.body)
        yield from _written(name.orelse)
    elif isinstance(name, ast.Constant):
        yield str(name.value)


def _table(tree: ast.Module, name: str) -> tuple[ast.stmt, ast.Dict] | None:
    for node in tree.body:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id == name
            and isinstance(node.value, ast.Dict)
        ):
            return node, node.value
    return None


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
