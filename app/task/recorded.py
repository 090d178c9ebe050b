"""A function of tensors as the list of operations that it comes down to."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten
VIEWS = (
    aten.view.default, aten._unsafe_view.default, aten.expand.default, aten.detach.default,
)  # fmt: skip
UNKNOWN = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
FILLED = {
    aten.ones_like.default, aten.zeros_like.default, aten.new_zeros.default, aten.new_ones.default,
}  # fmt: skip
SMALL = 1 << 22  # bytes of a tensor that is kept rather than made anew


class Recorded:
    """Operations that were recorded, as a function of what they were recorded with.

    Parameters
    ----------
    graph : Graph
        With a placeholder for each tensor that was given.
    constants : mapping
        The other tensors that it reads, by the names that it has for them.
    """

    def __init__(self, graph: Graph, constants: Mapping[str, Tensor]) -> None:
        self.graph = graph
        self._run = GraphModule(dict(constants), graph).forward

    def __call__(self, *given: Any) -> Any:
        """Return what they make of other tensors of the same shapes, in the same lists."""
        return self._run(*tree_leaves(given))


def recorded(function: Callable[..., Any], *given: Any) -> Recorded:
    """Record the operations that a call makes, to run them on other tensors of the same shapes.

    Sizes and branches are those of that call. Operations that change nothing, those that were made
    twice, and those whose value no given tensor decides are left out: small networks spend more on
    calling operations than in them. Every value is that of the function, to the last bit.

    Parameters
    ----------
    function : callable
        Of tensors and lists of them.
    *given : Tensor or list of Tensor
        What it is recorded with.

    Returns
    -------
    Recorded

    Raises
    ------
    RuntimeError
        Where a size or a branch depends on the values of tensors.

    Examples
    --------
    >>> double = recorded(lambda x: x + x, torch.zeros(2))
    >>> double(torch.ones(2))
    tensor([2., 2.])
    """
    with _Recorder(tree_leaves(given)) as recorder:
        returned = function(*given)
    graph = recorder.graph
    calls = [node for node in graph.nodes if node.op == "call_function"]
    graph.output(tree_map(recorder.node_of, returned))
    if not any(_changes_something(node) for node in calls):  # else the order of calls is not ours
        _shorten(graph, calls)
        _keep_constants(graph, recorder.constants)
    for node in graph.nodes:
        node.meta.pop("made", None)
    return Recorded(graph, recorder.constants)


class _Recorder(TorchDispatchMode):
    """Writes down each operation. PyTorch's own make_fx runs each of them on a model of the tensors
    besides, which takes ten times as long."""

    def __init__(self, given: Sequence[Tensor]) -> None:
        super().__init__()
        self.graph = Graph()
        self.constants: dict[str, Tensor] = {}
        self._known: dict[int, tuple[Tensor, Node]] = {}  # kept alive: an id is one tensor's
        for i, tensor in enumerate(given):
            self._is(tensor, self.graph.placeholder(f"given_{i}"))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if UNKNOWN.intersection(func.tags):
            raise RuntimeError(f"{func} depends on values, so it cannot be recorded")
        kwargs = kwargs or {}
        written = tree_map(self.node_of, (args, kwargs))
        made = func(*args, **kwargs)
        node = self.graph.call_function(func, *written)
        if isinstance(made, Tensor):
            self._is(made, node)
        else:
            for i, tensor in enumerate(made):
                if isinstance(tensor, Tensor):
                    self._is(tensor, self.graph.call_function(operator.getitem, (node, i)))
        return made

    def node_of(self, value: Any) -> Any:
        """The node that made a tensor; all else as it is."""
        if not isinstance(value, Tensor):
            return value
        if id(value) not in self._known:
            self._is(value, _constant(self.graph, self.constants, value))
        return self._known[id(value)][1]

    def _is(self, tensor: Tensor, node: Node) -> None:
        node.meta.update(shape=tensor.shape, dtype=tensor.dtype, made=tensor)
        self._known[id(tensor)] = tensor, node


def _shorten(graph: Graph, calls: Sequence[Node]) -> None:
    made: dict[tuple[Any, ...], Node] = {}
    for node in calls:
        same = _same(node)
        if same is None and not _draws(node):
            same = made.setdefault((node.target, str(node.args), str(node.kwargs)), node)
        if same not in (None, node):
            node.replace_all_uses_with(same)
            graph.erase_node(node)
    graph.eliminate_dead_code()


def _keep_constants(graph: Graph, constants: dict[str, Tensor]) -> None:
    """Put tensors in the place of operations whose value no given tensor decides."""
    for node in graph.nodes:
        if node.op != "call_function" or not isinstance(made := node.meta.get("made"), Tensor):
            continue
        known = node.target in FILLED or all(of.op == "get_attr" for of in node.all_input_nodes)
        if known and not _draws(node) and made.untyped_storage().nbytes() <= SMALL:
            with graph.inserting_before(node):
                node.replace_all_uses_with(_constant(graph, constants, made))
    [output] = graph.find_nodes(op="output")
    with graph.inserting_before(output):  # what is returned is the caller's to write to
        for node in output.all_input_nodes:
            if node.op == "get_attr":
                copied = graph.call_function(aten.clone.default, (node,))
                output.replace_input_with(node, copied)
    graph.eliminate_dead_code()


def _constant(graph: Graph, constants: dict[str, Tensor], value: Tensor) -> Node:
    name = f"constant_{len(constants)}"
    constants[name] = value
    return graph.get_attr(name)


def _changes_something(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and schema.is_mutable


def _draws(node: Node) -> bool:
    return torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())


def _same(node: Node) -> Node | None:
    """What has the value of the node, and stands before it, where that needs no operation."""
    of = node.args[0] if node.args and isinstance(node.args[0], Node) else None
    if of is None:
        return None
    if node.target in VIEWS and of.meta["shape"] == node.meta["shape"]:
        return of
    # vmap adds a bias as 1 * bias.
    is_one = node.target is aten.mul.Scalar and node.args[1] == 1
    if is_one and of.meta["dtype"] == node.meta["dtype"]:
        return of
    undone = node.target is of.target and node.args[1:] == of.args[1:]
    source = of.args[0] if of.args else None
    if undone and node.target in (aten.t.default, aten.transpose.int) and isinstance(source, Node):
        return source
    return None
