"""Flower's SuperExec, which forks the process of a message instead of starting a Python for it.

    python -m signfed.app.node.superexec ADDRESS PARENT

Started by `supernode.py`. Flower's own starts `flwr-clientapp` for each message, which imports the
same modules every time: more than a second of the processor, several on a small device. This one
has imported them, so a fork has them; the app itself is imported in the fork alone, from what the
server sent, and ends with it. So a message's process is as much its own as before.
"""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from signfed.app.node.pace import BUSY, Pace
from signfed.strategies.server.transport.objects import sooner

if TYPE_CHECKING:
    from flwr.supercore.superexec.executor import ExecutionSpec, LaunchResult

PROGRAM = "flwr-clientapp"


class ForkingExecutor:
    """What Flower's SuperExec asks to start processes: an `Executor`.

    Parameters
    ----------
    pace : Pace
        Learns when there was work.
    """

    def __init__(self, pace: Pace) -> None:
        from flwr.supercore.superexec.executor.subprocess_executor import SubprocessExecutor

        self._usual, self._pace = SubprocessExecutor(), pace
        self.get_eligible_capacity = self._usual.get_eligible_capacity
        self.wait_for_capacity = self._usual.wait_for_capacity
        self._parent = os.getppid()

    def launch(self, spec: ExecutionSpec) -> LaunchResult:
        """Fork the process of a message; what is no message is started as Flower does.

        Parameters
        ----------
        spec : ExecutionSpec
            Of the process.

        Returns
        -------
        LaunchResult
            That it was started, or why the system could not.
        """
        from flwr.supercore.constant import TaskType
        from flwr.supercore.superexec.executor import LaunchResult

        self._pace.worked()
        if spec.task_type != TaskType.CLIENT_APP or spec.runtime_dependency_install:
            return self._usual.launch(spec)
        sys.stdout.flush(), sys.stderr.flush()
        try:
            child = os.fork()
        except OSError as error:  # no memory, or no process: Flower tries again after 30 s
            return LaunchResult.failed(str(error))
        if not child:
            _answer(spec)
        return LaunchResult.accepted()

    def reconcile(self) -> None:
        """Take leave of processes that have ended, and end with the SuperNode."""
        if os.getppid() != self._parent:
            os._exit(0)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    def close(self) -> None:
        """Nothing is held."""


def _answer(spec: ExecutionSpec) -> NoReturn:
    """Be the process of one message, from here to its end."""
    from flwr.supercore.exit import exit_handler
    from flwr.supernode.cli.flwr_clientapp import flwr_clientapp

    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)
        exit_handler.registered_exit_handlers.clear()  # those of the SuperExec
        forget_ourselves()
        sys.argv = [PROGRAM, "--runtime-api-address", spec.runtime_api_address]
        sys.argv += ["--token", spec.token, "--parent-pid", str(spec.parent_pid), "--insecure"]
        flwr_clientapp()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)


def forget_ourselves() -> None:
    """Drop our own modules: the app that the server sent brings its own, maybe of this name."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "signfed"]:
        del sys.modules[name]


def once(install: Callable[..., Path]) -> Callable[..., Path]:
    """Return Flower's function that installs an app, for one that may be installed.

    Flower unpacks an app for each message, checks the hash of each file, finds that the app is
    there by the hash of the whole, and leaves what is there as it is: half an app, too, where the
    disk was full or the process killed. Here an app is there when all of it is.

    Parameters
    ----------
    install : callable
        `install_from_fab`.
    """
    from flwr.common.constant import APP_DIR, FAB_HASH_TRUNCATION
    from flwr.supercore.utils import get_flwr_home

    def installed(fab: bytes, **given: Any) -> Path:
        apps = get_flwr_home() / APP_DIR
        name = f"*.{hashlib.sha256(fab).hexdigest()[:FAB_HASH_TRUNCATION]}"
        if there := next(apps.glob(name), None):
            return there
        apps.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=apps) as half:
            made = install(fab, install_dir=Path(half), **given)
            os.sync()  # else a power cut may leave the name and not what is in the files
            return made.rename(apps / made.name)

    return installed


def main(address: str, parent: str) -> None:
    """Start the SuperExec; this returns when it ends.

    Parameters
    ----------
    address : str
        Of the SuperNode's own API, on loopback.
    parent : str
        Process of the SuperNode.
    """
    from flwr.supercore.superexec import run_superexec
    from flwr.supernode.cli import flwr_clientapp  # noqa: F401 - for the forks
    from flwr.supernode.runtime import run_clientapp

    loop: Any = run_superexec
    message: Any = run_clientapp
    inflate = message.pull_and_inflate_object_from_tree
    message.pull_and_inflate_object_from_tree = sooner(inflate)
    message.install_from_fab = once(message.install_from_fab)
    pace = Pace(BUSY)
    executor = ForkingExecutor(pace)
    loop.time = pace  # of which it uses `sleep`
    loop.get_executor = lambda *_, **__: executor
    gc.freeze()  # what is shared with the forks is not written to by the collector
    run_superexec.run_superexec(runtime_api_address=address, insecure=True, parent_pid=int(parent))


if __name__ == "__main__":
    main(*sys.argv[1:])
