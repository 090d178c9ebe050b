"""Public docstrings are in numpydoc form, read from the source.

The rule, for every public function and method of the package:

- The docstring begins with a summary of one line, an order ("Return", "Raise", "Write").
- Each parameter has an entry under "Parameters". A function of one parameter may go without where
  its docstring is the summary alone, which is then about that parameter.
- What comes back stands under "Returns" or "Yields", unless the summary says it: "Return ...",
  "Yield ...", "Tell whether ...", "Say why ...", "Make ...", "Build ...".
- What a constructor takes stands under "Parameters" or "Attributes" of its class.

A name is public where neither it nor what it stands in, file and class included, begins with an
underscore. Exempt are:

- methods that override one of a base class, or fulfil a protocol: their contract stands there;
- special methods other than a constructor and `__call__`: Python says what they take;
- properties, which read as attributes, and overloads, whose function follows;
- commands: their docstring is the text of `--help`, where each option says what it means;
- the papers' bounds: `on_domain` writes their "Parameters" from the annotations, and a bound
  returns the number that its summary names;
- factories of networks and encoders: all return one kind of thing, and all networks take a `Spec`;
- the messages of `transport/wire.py`, whose fields stand in one place, at its beginning.
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
    if not file.name.startswith("_") or file.name == "__init__.py"
}
EVERY_CLASS = [
    node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
]
CLASSES = {node.name: node for node in EVERY_CLASS}
COMMANDS = {
    "app/cli.py": "bound",
    "app/commands/check.py": "check",
    "app/commands/data.py": "data",
    "app/commands/doctor.py": "doctor",
    "app/commands/export.py": "export",
    "app/commands/federation.py": "approve",  # registered twice, once as `add`
    "app/commands/list.py": "list_",
    "app/commands/new.py": "new",
    "app/commands/redteam.py": "redteam",
    "app/commands/reproduce.py": "reproduce",
    "app/commands/report.py": "report",
    "app/commands/run.py": "run",
    "app/commands/score.py": "score",
    "app/commands/sweep.py": "sweep",
    "app/commands/tournament.py": "tournament",
}
MESSAGES = "strategies/server/transport/wire.py"
FACTORIES = ("app/task/models/", "clients/encoders")
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
NO_ORDERS = {
    "a", "all", "an", "as", "each", "every", "for", "how", "in", "it", "its", "of", "one", "that",
    "the", "this", "those", "to", "what", "when", "where", "whether", "which", "who", "why", "with",
}  # fmt: skip


def functions(node):
    return [each for each in node.body if isinstance(each, ast.FunctionDef)]


def bases(cls):
    """The names of all classes above, ours and others'."""
    for base in cls.bases:
        name = ast.unparse(base).partition("[")[0].rpartition(".")[2]
        yield name
        if name in CLASSES and name != cls.name:  # ours may be called as the one it extends
            yield from bases(CLASSES[name])


def inherited(cls):
    """Names of methods whose contract stands in another class."""
    own = {method.name for method in functions(cls)}
    found = set()
    for name in bases(cls):
        above = CLASSES.get(name)
        found |= {m.name for m in functions(above)} if above else FOREIGN.get(name, set())
    for protocol in EVERY_CLASS:
        if "Protocol" in bases(protocol) and protocol is not cls:
            # A property that it asks for may be an attribute.
            asked = {m.name for m in functions(protocol) if not m.decorator_list}
            found |= asked if asked <= own else set()
    return found


def public(tree):
    """Yield (qualified name, function, its class or None) of the public functions of a file."""
    for function in functions(tree):
        if not function.name.startswith("_"):
            yield function.name, function, None
    for cls in tree.body:
        if isinstance(cls, ast.ClassDef) and not cls.name.startswith("_"):
            exempt = inherited(cls)
            for method in functions(cls):
                special = method.name in ("__init__", "__call__")
                if method.name not in exempt and (special or not method.name.startswith("_")):
                    yield f"{cls.name}.{method.name}", method, cls


def sections(doc):
    """Title -> lines; the beginning under ""."""
    found, title = {"": []}, ""
    lines = doc.splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=False):
        if line and below == "-" * len(line):
            title = line
            found[title] = []
        elif not line or line.strip("-"):
            found[title].append(line)
    return found


def entries(lines):
    """The names that have an entry; "x, y : float" are two."""
    heads = [line.partition(" : ")[0] for line in lines if line and not line.startswith(" ")]
    return {name.strip("* ") for head in heads for name in head.split(",")}


def parameters(function):
    a = function.args
    every = [*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg]
    return [arg.arg for arg in every if arg and arg.arg not in ("self", "cls")]


def is_command(file, function):
    """Whether it is what a command of the command line calls, by itself or in a group."""
    how = [ast.unparse(decorator) for decorator in function.decorator_list]
    return function.name == COMMANDS.get(file) or any(".command(" in each for each in how)


def faults(file, name, function, cls):
    """What is wrong with the documentation of one function."""
    how = {ast.unparse(each).partition("(")[0] for each in function.decorator_list}
    if how & {"property", "cached_property", "overload"}:
        return
    given, doc = parameters(function), ast.get_docstring(function) or ""
    found = sections(doc)
    if function.name == "__init__":
        of_class = sections(ast.get_docstring(cls) or "")
        missing = set(given) - entries(
            of_class.get("Parameters", []) + of_class.get("Attributes", [])
        )
        if missing:
            yield f"no entry in the class for {', '.join(sorted(missing))}"
        return
    summary = found[""][0] if found[""] else ""
    # A full stop, after which more may follow, or a colon before an equation.
    if not summary.endswith((".", ":")) or summary.split()[0].lower() in NO_ORDERS:
        yield f"expected a summary of one line that begins with a verb; got {summary!r}"
    if "on_domain" in how or file == MESSAGES or is_command(file, function):
        return
    returned = ast.unparse(function.returns) if function.returns else "None"
    if file.startswith(FACTORIES) and given == ["spec"]:
        return
    missing = set(given) - entries(found.get("Parameters", []))
    alone = len(given) == 1 and set(found) <= {"", "Examples"} and not any(found[""][1:])
    if missing and not alone:
        yield f"no entry under Parameters for {', '.join(sorted(missing))}"
    if file.startswith(FACTORIES) and returned == "Encoder":
        return
    if returned == "None" or ("contextmanager" in how and returned == "Iterator[None]"):
        return
    if not ({"Returns", "Yields"} & set(found) or summary.startswith(SAYS_WHAT_COMES_BACK)):
        yield "neither Returns nor Yields"


@pytest.mark.parametrize("file", sorted(TREES))
def test_public_docstrings(file):
    wrong = [
        f"{file}: {name}: {fault}"
        for name, function, cls in public(TREES[file])
        for fault in faults(file, name, function, cls)
    ]
    assert not wrong, "\n".join(wrong)


GOOD = '''
def f(x: int, y: int) -> int:
    """Add two numbers.

    Parameters
    ----------
    x, y : int

    Returns
    -------
    int
    """
'''


@pytest.mark.parametrize(
    "change, fault",
    [
        (("", ""), None),
        (("Add two numbers.", "The sum of two numbers."), "begins with a verb"),
        (("Add two numbers.", "Add two"), "a summary of one line"),
        (("    x, y : int", "    x : int"), "no entry under Parameters for y"),
        (("    Returns\n    -------\n    int\n", ""), "neither Returns nor Yields"),
        ((GOOD[GOOD.index('"""') :], "..."), "a summary of one line"),
    ],
)
def test_a_fault_is_found(change, fault):
    [(name, function, cls)] = public(ast.parse(GOOD.replace(*change)))
    found = "; ".join(faults("a.py", name, function, cls))
    assert fault in found if fault else not found
