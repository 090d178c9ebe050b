"""A function of tensors as the list of operations that it comes down to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node
from torch.fx.experimental.proxy_tensor import make_fx

aten = torch.ops.aten
VIEWS = (aten.view.default, aten._unsafe_view.default, aten.expand.default)


def recorded(function: Callable[..., Any], *given: Any) -> Callable[..., Any]:
    """Record the operations that a call makes, to run them on other tensors of the same shapes.

    Sizes and branches are those of that call. Operations that change nothing, and those that were
    made twice, are left out: small networks spend more on calling operations than in them. Every
    value is that of the function, to the last bit.

    Parameters
    ----------
    function : callable
        Of tensors and lists of them.
    *given : Tensor or list of Tensor
        What it is recorded with.

    Returns
    -------
    callable
        Takes the same arguments.

    Examples
    --------
    >>> double = recorded(lambda x: x + x, torch.zeros(2))
    >>> double(torch.ones(2))
    tensor([2., 2.])
    """
    module = make_fx(function)(*given)
    calls = [node for node in module.graph.nodes if node.op == "call_function"]
    if any(_changes_something(node) for node in calls):  # the order of its calls is not ours
        return module.forward
    made: dict[tuple[Any, ...], Node] = {}
    for node in calls:
        same = _same(node)
        if same is None and not _draws(node):
            same = made.setdefault((node.target, str(node.args), str(node.kwargs)), node)
        if same not in (None, node):
            node.replace_all_uses_with(same)
            module.graph.erase_node(node)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module.forward


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
    if node.target in VIEWS and _shape(of) == _shape(node):
        return of
    # vmap adds a bias as 1 * bias.
    if node.target is aten.mul.Scalar and node.args[1] == 1 and _dtype(of) == _dtype(node):
        return of
    undone = node.target is of.target and node.args[1:] == of.args[1:]
    source = of.args[0] if of.args else None
    if undone and node.target in (aten.t.default, aten.transpose.int) and isinstance(source, Node):
        return source
    return None


def _shape(node: Node) -> torch.Size:
    return node.meta["val"].shape


def _dtype(node: Node) -> torch.dtype:
    return node.meta["val"].dtype
