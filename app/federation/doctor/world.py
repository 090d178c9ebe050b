"""What the checks look at outside the files: clock, network, machine. A test puts others in."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from signfed.app.doctor.room import free_disk, free_memory
from signfed.app.federation import files, keys, superlink
from signfed.app.federation.settings import LOCAL
from signfed.app.flower import guard
from signfed.app.runs.versions import versions

PATIENCE = 5.0  # seconds for a connection
SAMPLES, SIDE, CLASSES = 64, 28, 10  # of the gradient that is timed


class NotTls(OSError):
    """Something listens, but not with TLS."""


def resolve(host: str) -> list[str]:
    """Return the addresses of a host. Raises OSError when the name is not known."""
    return sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None)})


def connect(host: str, port: int) -> None:
    """Open a connection and close it. Raises OSError when that fails.

    Parameters
    ----------
    host : str
    port : int
    """
    socket.create_connection((host, port), timeout=PATIENCE).close()


def served_certificate(host: str, port: int) -> bytes:
    """Return the certificate that a server shows, DER, whoever signed it.

    Parameters
    ----------
    host : str
    port : int

    Raises
    ------
    NotTls
        When it does not speak TLS.
    OSError
        When there is no connection.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""
    except ssl.SSLError as error:
        raise NotTls(str(error)) from None


def server_time(host: str, port: int) -> datetime:
    """Return the time that a SuperLink shows. Raises OSError or ValueError without an answer.

    It is asked without a look at its certificate: a wrong clock makes a good one look bad.

    Parameters
    ----------
    host : str
    port : int
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    import http.client

    connection = http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=context)
    try:
        connection.request("GET", "/health")
        said = connection.getresponse().getheader("date")
    except http.client.HTTPException as error:
        raise ValueError(str(error)) from None
    finally:
        connection.close()
    if said is None:
        raise ValueError("no date in the answer")
    return parsedate_to_datetime(said).astimezone(UTC)


def gradient_seconds() -> float:
    """Return the seconds of one gradient of the network `fd-cnn` on noise; torch is loaded before.

    Raises
    ------
    ImportError
        When PyTorch cannot be loaded.
    """
    import torch

    from signfed.app.task.models import Spec, build

    model = build("fd-cnn", Spec((1, SIDE, SIDE), CLASSES), seed=0)
    images = torch.full((SAMPLES, 1, SIDE, SIDE), 0.5)
    labels = torch.zeros(SAMPLES, dtype=torch.int64)
    started = time.perf_counter()
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    return time.perf_counter() - started


def runs(flower_home: Path) -> bool:
    """Tell whether processes of Flower with this FLWR_HOME run."""
    return bool(guard.of_home(str(flower_home)))


def taken(port: int) -> bool:
    """Tell whether something listens at a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(PATIENCE)
        return probe.connect_ex((LOCAL, port)) == 0


@dataclass(frozen=True)
class World:
    """The real one by default.

    Attributes
    ----------
    now, resolve, connect, served_certificate, server_time, free_disk, free_memory, runs, taken
    versions, gradient_seconds, recognizes, registered
        Callables; see the functions of this file, `superlink` and `app.doctor.room`.
    """

    now: Callable[[], datetime] = files.now
    resolve: Callable[[str], list[str]] = resolve
    connect: Callable[[str, int], None] = connect
    served_certificate: Callable[[str, int], bytes] = served_certificate
    server_time: Callable[[str, int], datetime] = server_time
    free_disk: Callable[[Path], int] = free_disk
    free_memory: Callable[[], int] = free_memory
    runs: Callable[[Path], bool] = runs
    taken: Callable[[int], bool] = taken
    versions: Callable[[], Mapping[str, str]] = versions
    gradient_seconds: Callable[[], float] = gradient_seconds
    recognizes: Callable[[str, str, keys.PrivateKey, str], bool] = superlink.recognizes
    registered: Callable[[str, str], list[superlink.Registered]] = superlink.registered


def mode_of(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return os.stat(path).st_mode & 0o777
