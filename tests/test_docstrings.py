"""Public docstrings are in numpydoc form, read from the source.

The rule, for every public function and method of the package:

- It has a docstring whose summary is one line, an order ("Return", "Raise", "Write"), with a full stop.
- It names each of its parameters under "Parameters". One parameter may go without where the docstring
  is the summary alone, which is then about that parameter.
- It says what comes back under "Returns" or "Yields", unless the summary does: "Return ...",
  "Yield ...", "Tell whether ...", "Say ...", "Make ...", "Build ...".
- A class documents what its constructor takes, under "Parameters" or "Attributes".

A name is public where neither it nor what it stands in, file and class included, begins with an
underscore. Exempt are:

- methods that override one of a base class, or fulfil a protocol: their contract stands there;
- special methods other than a constructor and `__call__`: Python says what they take;
- properties, which read as attributes;
- commands: their docstring is the text of `--help`, where each option says what it means;
- the papers' bounds: `on_domain` writes their "Parameters" from the annotations, and a bound returns
  the number that its summary names;
- factories of networks: all take the `Spec` of what the network has to fit, and return the network.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("app", "attacks", "clients", "signfed", "strategies")
TREES = {
    str(file.relative_to(ROOT)): ast.parse(file.read_text(encoding="utf-8"))
    for package in PACKAGES
    for file in sorted((ROOT / package).rglob("*.py"))
}
CLASSES = {
    node.name: node
    for tree in TREES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.ClassDef)
}
# What subclasses of classes that are not ours override.
FOREIGN = {
    "Module": {"forward", "train"},
    "NumPyClient": {"fit"},
    "Strategy": {
        "start", "configure_train", "aggregate_train", "configure_evaluate", "aggregate_evaluate",
        "summary",
    },
}  # fmt: skip
SAYS_WHAT_COMES_BACK = ("Return ", "Yield ", "Tell ", "Say ", "Make ", "Build ")
# How a summary that is no order begins.
NO_ORDER = {
    "a", "all", "an", "as", "each", "every", "for", "how", "in", "it", "its", "one", "the", "this",
    "those", "what", "when", "where", "whether", "which", "who", "whose", "why", "with",
}  # fmt: skip
COMMANDS = {"app/cli.py": {"bound"}} | {
    f"app/commands/{name.rstrip('_')}.py": {name}
    for name in ("data", "list_", "redteam", "run", "score")
}


def methods(cls):
    return {node.name for node in cls.body if isinstance(node, ast.FunctionDef)}


def bases(cls):
    """The names of all classes above, ours and others'."""
    for base in cls.bases:
        name = ast.unparse(base).partition("[")[0].rpartition(".")[2]
        yield name
        if name in CLASSES:
            yield from bases(CLASSES[name])


PROTOCOLS = [cls for cls in CLASSES.values() if "Protocol" in bases(cls)]


def inherited(cls):
    """Methods of the class whose contract stands elsewhere."""
    above = [methods(CLASSES[n]) if n in CLASSES else FOREIGN.get(n, set()) for n in bases(cls)]
    # Of a property that a protocol asks for, an implementation may make an attribute.
    wanted = [{n.name for n in p.body if isinstance(n, ast.FunctionDef) and not n.decorator_list}
              for p in PROTOCOLS if p is not cls]  # fmt: skip
    return set().union(*above, *(names for names in wanted if names <= methods(cls)))


def public(tree):
    """Yield (qualified name, function, class or None) of the public functions of a file."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node, None
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            exempt = inherited(node)
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name not in exempt:
                    if not method.name.startswith("_") or method.name in ("__init__", "__call__"):
                        yield f"{node.name}.{method.name}", method, node


def sections(doc):
    """Title -> text; the beginning under ""."""
    found, title = {"": []}, ""
    lines = doc.splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if below and not below.strip("-") and len(below) == len(line):
            title = line
            found[title] = []
        elif line.strip("-") or not line:
            found[title].append(line)
    return {name: "\n".join(text).strip() for name, text in found.items()}


def entries(section):
    """The names that a section documents: "x, y : float" are two."""
    heads = [line for line in section.splitlines() if line and not line.startswith(" ")]
    return {name.strip("* ") for head in heads for name in head.partition(" : ")[0].split(",")}


def parameters(function):
    a = function.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg]
    return [arg.arg for arg in every if arg and arg.arg not in ("self", "cls")]


def decorators(function):
    return {ast.unparse(each).partition("(")[0] for each in function.decorator_list}


def faults(file, name, function, cls):
    """What is wrong with the docstring of one function."""
    how = decorators(function)
    if how & {"property", "cached_property", "on_domain"}:
        return
    doc = ast.get_docstring(function) or ""
    if function.name == "__init__":
        said = doc + "\n\n" + (ast.get_docstring(cls) or "")
        named = sections(said)
        known = entries(named.get("Parameters", "")) | entries(named.get("Attributes", ""))
        missing = set(parameters(function)) - known
        if missing:
            yield f"no entry for {', '.join(sorted(missing))} of the constructor"
        return
    if not doc:
        yield "no docstring"
        return
    found = sections(doc)
    summary = found[""].partition("\n")[0]
    if not summary.endswith("."):
        yield f"expected a summary of one line, with a full stop; got {summary!r}"
    elif summary.split()[0].lower() in NO_ORDER:
        yield f"expected a summary that begins with a verb; got {summary!r}"
    if (
        name in COMMANDS.get(file, ())
        or file.startswith("app/task/models/")
        and (parameters(function) == ["spec"])
    ):
        return
    given = parameters(function)
    missing = set(given) - entries(found.get("Parameters", ""))
    if missing and not (
        len(given) == 1 and set(found) <= {"", "Examples"} and "\n" not in found[""]
    ):
        yield f"no entry for {', '.join(sorted(missing))} under Parameters"
    returned = ast.unparse(function.returns) if function.returns else "None"
    if returned == "None" or ("contextmanager" in how and returned == "Iterator[None]"):
        return
    if not ({"Returns", "Yields"} & set(found) or summary.startswith(SAYS_WHAT_COMES_BACK)):
        yield "neither Returns nor Yields"


@pytest.mark.parametrize("file", [f for f in TREES if not any(
    part.startswith("_") and part != "__init__.py" for part in f.split("/"))])  # fmt: skip
def test_public_docstrings(file):
    wrong = [
        f"{file}: {name}: {fault}"
        for name, function, cls in public(TREES[file])
        for fault in faults(file, name, function, cls)
    ]
    assert not wrong, "\n".join(wrong)
