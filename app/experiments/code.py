"""What code a run reaches: found by walking imports, without importing anything.

A module counts by its syntax tree without docstrings. Of a registry only what is outside its table
counts, and the entries that are in use, so that one rule's file concerns the runs of that rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from signfed.app.experiments import modules
from signfed.app.experiments.modules import DOOR, Import, ParsedModule, digest, parsed

# What has names by which a run config chooses: kind -> module and its table.
TABLES = {
    "strategy": ("signfed.strategies.registry", "STRATEGIES"),
    "pre-aggregation": ("signfed.strategies.pre_aggregations", "PRE_AGGREGATIONS"),
    "encoder": ("signfed.clients.encoders", "ENCODERS"),
    "attack": ("signfed.attacks.registry", "ATTACKS"),
    "partition": ("signfed.app.task.partitions", "PARTITIONS"),
    "model": ("signfed.app.task.models", "MODELS"),
    "task": ("signfed.app.task", "TASKS"),
}
TABLE_OF = dict(TABLES.values())
# Not followed: what these make of a run config is in the hash of the configuration (what makes
# rules of that is a root: `cells.BUILDING`), and how a run is kept on disk changes no number.
KEPT_BY = ("claim", "checkpoint", "folder", "json_files", "recorder", "resuming", "saving")
SETTLED = (
    *("signfed.app.config", "signfed.app.errors", "signfed.app.report"),
    *(f"signfed.app.runs.{name}" for name in (*KEPT_BY, "versions")),
)


def within(module: str, packages: Iterable[str]) -> bool:
    """Tell whether a module is one of these or lies in one.

    Parameters
    ----------
    module : str
    packages : iterable of str
    """
    return any(module == package or module.startswith(f"{package}.") for package in packages)


class Sources:
    """The code of this moment: each module is read once.

    Parameters
    ----------
    read : callable, optional
        Module -> its source, or None where it is not followed.
    """

    def __init__(self, read: Callable[[str], str | None] | None = None) -> None:
        self._read = read or modules.read_source
        self._texts: dict[str, str | None] = {}
        self._modules: dict[str, ParsedModule] = {}
        self._brought: dict[tuple[Import, ...], list[str]] = {}
        self._digests: dict[str, str] = {}

    def reached(
        self, roots: Iterable[str], chosen: Iterable[tuple[str, str]] = ()
    ) -> dict[str, str]:
        """Return the digest of each module and each registry entry that code reaches.

        Parameters
        ----------
        roots : iterable of str
            Modules to begin with.
        chosen : iterable of (str, str)
            A kind of `TABLES` and a name each; a user's own name is module:Name.

        Returns
        -------
        dict
            Module, or module:entry -> digest.
        """
        found: dict[str, str] = {}
        waiting = list(roots)
        for kind, name in chosen:
            registry, _ = TABLES[kind]
            if ":" in name:
                waiting += self._with_parents(name.partition(":")[0])
            elif entry := self._module(registry).entries.get(name):
                found[f"{registry}:{name}"] = entry[0]
                waiting += self._all_targets(entry[1])
        while waiting:
            module = waiting.pop()
            if module not in found and self._text(module) is not None:
                found[module] = self._module(module).digest
                waiting += self._all_targets(self._module(module).imports)
        return dict(sorted(found.items()))

    def own(self, modules: Iterable[str]) -> dict[str, str]:
        """Return the source of each of the user's own modules among those.

        Parameters
        ----------
        modules : iterable of str
            As `reached` returns them.
        """
        own = (m for m in modules if m.partition(".")[0] != DOOR and ":" not in m)
        return {module: self._text(module) or "" for module in own}

    def texts(self, modules: Iterable[str]) -> dict[str, str]:
        """Return the digest of each module's whole text, for whoever imports it later.

        Parameters
        ----------
        modules : iterable of str
            As `reached` returns them.
        """
        modules = [module for module in modules if ":" not in module]
        for module in modules:
            if module not in self._digests:
                self._digests[module] = digest(self._text(module) or "")
        return {module: self._digests[module] for module in modules}

    def _all_targets(self, imported: tuple[Import, ...]) -> list[str]:
        """The modules that imports bring; ten thousand cells ask for those of a hundred modules."""
        if imported not in self._brought:
            self._brought[imported] = [m for each in imported for m in self._targets(each)]
        return self._brought[imported]

    def _targets(self, imported: Import) -> Iterator[str]:
        """The modules that an import brings: those that define the name, and the one named."""
        _, module, name = imported
        if within(module, SETTLED) or self._text(module) is None:
            return
        if name and self._text(f"{module}.{name}") is not None:
            if within(f"{module}.{name}", SETTLED):
                return
            yield from self._with_parents(f"{module}.{name}")
            return
        if module != DOOR:
            yield from self._with_parents(module)
        if (home := self._module(module).homes.get(name)) and home[0] != module:
            yield from self._targets((name, *home))

    def _with_parents(self, module: str) -> list[str]:
        """The module; of a user's, the packages around it, too."""
        parts = module.split(".")
        if parts[0] == DOOR:
            return [module]
        return [".".join(parts[:i]) for i in range(1, len(parts) + 1)]

    def _text(self, module: str) -> str | None:
        if module not in self._texts:
            self._texts[module] = self._read(module)
        return self._texts[module]

    def _module(self, name: str) -> ParsedModule:
        if name not in self._modules:
            package = self._text(f"{name}.__init__") is not None
            self._modules[name] = parsed(
                name, self._text(name) or "", is_package=package, registry=TABLE_OF.get(name, "")
            )
        return self._modules[name]
