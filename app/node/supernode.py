"""Flower's SuperNode, on a device that restarts and a link that breaks.

    python -m signfed.app.node.supernode ARGUMENTS OF flower-supernode

What is otherwise than in Flower 1.41:

- An idle node looks for messages every 3 s. Here it looks sooner after work (`pace.py`).
- The objects of a message travel two at a time, and one that is not there is looked for after a
  second, then two, four, ... Here six are under way at once, and looks are twenty times as many.
- An object that takes longer than 30 s to be sent is begun anew, for ever: 3.75 MB at 1 Mbit/s.
  Here it may take three minutes, and arrays travel in pieces of 1 MiB, not 5.
- A Python is started for each message. Here the SuperExec forks (`superexec.py`); the SuperNode's
  isolation is Flower's "process": who starts it starts the SuperExec, too.
- A connection that breaks off in the middle of a TLS handshake, and an error of the SuperLink's,
  end the loop that asks for messages, while the process stays. Here it starts anew.
- A SuperExec that ends leaves a node that is connected and answers nothing. Here it starts anew.
- A clock that is wrong at the start, as on a device without a battery, ends the process as if it
  had been asked to end. Here that is a failure, so systemd starts it again.
- A node that starts again before the SuperLink has given up the one before (up to a minute) is
  refused. Here it takes its leave first: the key is the same.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

from signfed.app.node.pace import BUSY, Pace
from signfed.strategies.server.transport.objects import sooner

NODE_ID = "SIGNFED_NODE_ID"  # which the start script sets: by it the SuperLink knows the key
ITSELF, SUPEREXEC = "signfed.app.node.supernode", "signfed.app.node.superexec"
AT_ONCE = 6  # objects of a message that are under way together: those of one array and its config
PATIENCE = 180.0  # seconds for sending an object; as long does a SuperLink wait for the next one
PIECE = {"FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE": str(2**20)}  # bytes of an array in one object
CALL = 30.0  # seconds for anything else, as in Flower
REST = 5.0  # seconds before a node that broke off starts anew
UNAUTHORIZED, REFUSED = 401, 412
# In Flower's words for a node that cannot connect: what no other attempt would change.
FINAL = ("[code:", "CERTIFICATE_VERIFY_FAILED", "401")


class BrokenOff(Exception):
    """There is no connection for now, or nobody who answers messages."""


class Pauses(Pace):
    """The pauses of Flower's SuperNode: it waits for messages, or for the answer to one.

    Attributes
    ----------
    executor : subprocess.Popen or None
        The SuperExec, once it is started.
    """

    executor: subprocess.Popen[bytes] | None = None

    def sleep(self, seconds: float) -> None:
        """Wait as Flower does, but for less.

        Parameters
        ----------
        seconds : float
            3 while there is no message; half a second while one is being answered.

        Raises
        ------
        BrokenOff
            When the SuperExec has ended: no message would be answered any more.
        """
        if self.executor and self.executor.poll() is not None:
            raise BrokenOff(f"the SuperExec ended with {self.executor.returncode}")
        if seconds < 1:
            self.worked()
            self._wait(min(seconds, BUSY))
        else:
            super().sleep(seconds)


def superexec_command(arguments: Sequence[str]) -> list[str]:
    """Return the command that starts the SuperExec of a SuperNode with these arguments.

    Parameters
    ----------
    arguments : sequence of str
        Of `flower-supernode`.

    Examples
    --------
    >>> superexec_command(["--host", "127.0.0.1", "--port", "9095"])[-2]
    '127.0.0.1:9095'
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", default="9094")
    given, _ = parser.parse_known_args(arguments)
    address = f"{given.host}:{given.port}"
    return [sys.executable, "-P", "-m", SUPEREXEC, address, str(os.getpid())]


class Fleet:
    """What Flower's client of the SuperLink does otherwise for a node that may come back.

    Attributes
    ----------
    node_id : int
        The SuperLink's id of the node's key; 0 where it is not known.
    unauthorized : bool
        Whether the SuperLink refused a signature: the key is none of its nodes', or its clock
        is another.
    """

    node_id, unauthorized = 0, False

    def ActivateNode(self, request: Any) -> Any:
        """Connect; where the SuperLink has not given this node up, take its leave before.

        Parameters
        ----------
        request : ActivateNodeRequest

        Returns
        -------
        ActivateNodeResponse
            The SuperLink's.
        """
        import httpx
        from flwr.proto.fleet_pb2 import DeactivateNodeRequest

        client: Any = super()
        try:
            return client.ActivateNode(request)
        except httpx.HTTPStatusError as refusal:
            if refusal.response.status_code != REFUSED or not self.node_id:
                raise
            try:
                client.DeactivateNode(DeactivateNodeRequest(node_id=self.node_id))
            except httpx.HTTPStatusError:  # it was not there: the key is none of its nodes'
                raise refusal from None
            return client.ActivateNode(request)

    def _unary_unary(self, **request: Any) -> Any:
        import httpx

        client: Any = super()
        if request.get("path", "").endswith("/push-object"):
            request["timeout"] = httpx.Timeout(CALL, write=PATIENCE)
        try:
            return client._unary_unary(**request)
        except httpx.HTTPStatusError as refusal:
            if refusal.response.status_code == UNAUTHORIZED:
                Fleet.unauthorized = True  # Flower raises SIGINT now
            raise


def adapt() -> Pauses:
    """Return the pauses of Flower's SuperNode, which is changed as this module says."""
    from flwr.supercore.inflatable import inflatable_utils
    from flwr.supernode import fleet_http_connection, start_client_internal

    connection: Any = fleet_http_connection
    loop: Any = start_client_internal
    objects: Any = inflatable_utils
    end = connection.flwr_exit

    def end_or_not(code: int, message: str = "") -> NoReturn:
        if not any(word in message for word in FINAL):
            raise BrokenOff(message)
        raise SystemExit(end(code, message))

    loop.time = pauses = Pauses()  # of which it uses `sleep`
    push = loop._push_messages

    def pushed(*arguments: Any, **given: Any) -> None:
        push(*arguments, **given)  # as long as the link takes
        pauses.worked()

    loop._push_messages = pushed
    loop.pull_objects = sooner(loop.pull_objects)
    objects.get_num_workers = lambda most: AT_ONCE
    connection.flwr_exit = end_or_not
    connection.FleetHttpClient = type("Client", (Fleet, connection.FleetHttpClient), {})
    return pauses


def main() -> None:
    """Start the SuperNode; this returns when it is ended, or refused."""
    from flwr.supercore import log
    from flwr.supernode.cli import flower_supernode

    arguments = sys.argv[1:]
    Fleet.node_id = int(os.environ.get(NODE_ID) or 0)
    pauses = adapt()
    os.environ.update(PIECE)  # for the processes of messages, which cut what they send
    pauses.executor = executor = subprocess.Popen(superexec_command(arguments))
    sys.argv = ["flower-supernode", *arguments, "--isolation", "process"]
    why, failed = "its cause is above", False
    try:
        flower_supernode()  # which ends the process; it returns when it broke off
    except BrokenOff as error:
        why = str(error)
    except SystemExit as end:
        raise SystemExit(end.code or int(Fleet.unauthorized)) from None
    except Exception:
        traceback.print_exc()
        failed = True
    finally:
        executor.terminate()
        executor.wait()
    if failed:  # Flower's web server, a thread, would keep the process
        sys.stderr.flush()
        os._exit(1)
    log(30, "The SuperNode broke off; anew in %.0f s: %s", REST, why)
    time.sleep(REST)
    # In place of this process, of which a thread or a port may have been left.
    os.execv(sys.executable, [sys.executable, "-m", ITSELF, *arguments])


if __name__ == "__main__":
    main()
