"""What a federation asks of Flower's SuperLink: register, unregister, list, "do you know me?".

Flower's command line does the same, but lists nodes without their keys, so that a command which
was interrupted could not tell whether its key was registered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

from signfed.app.errors import ConfigError
from signfed.app.federation import keys

UNAUTHORIZED = 401
T = TypeVar("T")


class SuperLinkSilent(ConfigError):
    """The SuperLink does not answer."""


@dataclass(frozen=True)
class Registered:
    """A node as the SuperLink knows it.

    Attributes
    ----------
    node_id : str
    key : str
        Fingerprint of its public key.
    status : str
        "registered", "online", "offline" or "unregistered".
    """

    node_id: str
    key: str
    status: str


def registered(address: str, ca: str) -> list[Registered]:
    """Return all nodes that the SuperLink knows, those that were unregistered included.

    Parameters
    ----------
    address : str
        "host:port".
    ca : str
        The authority's certificate, PEM.

    Raises
    ------
    SuperLinkSilent
        When it does not answer.
    """
    from flwr.proto.control_pb2 import ListNodesRequest

    response = _control(address, ca, lambda client: client.ListNodes(ListNodesRequest()))
    return [
        Registered(str(n.node_id), keys.fingerprint_of_pem(n.public_key), n.status)
        for n in response.nodes_info
    ]


def register(address: str, ca: str, key: keys.PublicKey, name: str) -> str:
    """Register a key, unless it is registered.

    Parameters
    ----------
    address : str
    ca : str
    key : PublicKey
    name : str
        By which Flower shows the node.

    Returns
    -------
    str
        The node's id, in decimal digits.

    Raises
    ------
    SuperLinkSilent
        When it does not answer.
    ConfigError
        When the key was unregistered once: Flower takes no key twice.
    """
    try:
        return _registered_as(address, ca, key, name)
    except SuperLinkSilent as error:
        raise SuperLinkSilent(f"{error}; start it, and give this command again") from None


def _registered_as(address: str, ca: str, key: keys.PublicKey, name: str) -> str:
    from flwr.proto.control_pb2 import RegisterNodeRequest

    own = keys.fingerprint(key)
    for node in registered(address, ca):
        if node.key == own and node.status != "unregistered":
            return node.node_id
        if node.key == own:
            raise ConfigError(
                f"expected a key that was not removed before; {name}'s was, and Flower takes none "
                "twice; on the device: signfed node request with a new --home"
            )
    request = RegisterNodeRequest(public_key=keys.public_pem(key), name=name)
    return str(_control(address, ca, lambda client: client.RegisterNode(request)).node_id)


def unregister(address: str, ca: str, node_id: str) -> None:
    """End a node's registration: it is not asked from the next round on, and cannot come back.

    Parameters
    ----------
    address : str
    ca : str
    node_id : str
        Nothing happens when the SuperLink knows none of that id.

    Raises
    ------
    SuperLinkSilent
        When it does not answer.
    """
    from flwr.proto.control_pb2 import UnregisterNodeRequest

    known = {node.node_id: node.status for node in registered(address, ca)}
    if known.get(node_id, "unregistered") != "unregistered":
        request = UnregisterNodeRequest(node_id=int(node_id))
        _control(address, ca, lambda client: client.UnregisterNode(request))


def recognizes(address: str, ca: str, key: keys.PrivateKey, node_id: str) -> bool:
    """Tell whether the key is registered under this id: the SuperLink is asked as by the node.

    It is asked for a run that does not exist: a key that is not registered is turned away before
    the run is looked for.

    Parameters
    ----------
    address : str
    ca : str
    key : PrivateKey
        The node's.
    node_id : str

    Raises
    ------
    SuperLinkSilent
        When it does not answer.
    """
    import httpx
    from flwr.proto.node_pb2 import Node
    from flwr.proto.run_pb2 import GetRunRequest
    from flwr.supernode.fleet_http_client import FleetHttpClient
    from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

    request = GetRunRequest(node=Node(node_id=int(node_id)), run_id=0)
    signs = NodeAuthHttpInterceptor(key, key.public_key())
    try:
        _ask(FleetHttpClient, address, ca, [signs], lambda client: client.GetRun(request))
    except httpx.HTTPStatusError as error:
        return error.response.status_code != UNAUTHORIZED
    return True


def knows_keys(grid: Any) -> bool:
    """Tell whether the nodes of a grid are real ones, whose keys a SuperLink knows.

    Parameters
    ----------
    grid : Grid
    """
    from flwr.superlink.grid import HttpGrid  # a second of imports, which a server has made

    return isinstance(grid, HttpGrid)


def _control(address: str, ca: str, ask: Callable[[Any], T]) -> T:
    import httpx
    from flwr.supercore.control import ControlHttpClient

    try:
        return _ask(ControlHttpClient, address, ca, [], ask)
    except httpx.HTTPStatusError as error:
        raise ConfigError(f"the SuperLink at {address} refused: {error.response.text}") from None


def _ask(
    kind: Any, address: str, ca: str, interceptors: Sequence[Any], ask: Callable[[Any], T]
) -> T:
    import httpx
    from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

    versions = RuntimeVersionHttpInterceptor(component_name="signfed")
    try:
        client = kind.from_server_address(
            address, False, ca.encode("ascii"), interceptors=[versions, *interceptors]
        )
        with closing(client):
            return ask(client)
    except httpx.TransportError as error:
        raise SuperLinkSilent(f"the SuperLink at {address} does not answer ({error})") from None
