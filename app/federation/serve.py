"""Flower's SuperLink, which reads its certificate anew when it gets SIGHUP.

    python -m signfed.app.federation.serve ARGUMENTS OF flower-superlink

A certificate that is renewed needs no restart then, which would end the runs under way. The web
server that Flower starts makes one TLS context and has no means to change it; a context takes a
new certificate for the connections to come.

Each device has up to seven connections open during a round, and a process may open 1024 files
unless it asks for more: too few for 150 devices.
"""

from __future__ import annotations

import resource
import signal
import ssl
from contextlib import suppress
from typing import Any


def keep_contexts() -> list[tuple[ssl.SSLContext, str]]:
    """Have the web server's TLS contexts kept in a list, each with its certificate's file.

    Returns
    -------
    list
        Empty until the server starts; for ever where the web server is no longer built like that.
    """
    import uvicorn.config

    kept: list[tuple[ssl.SSLContext, str]] = []
    make = getattr(uvicorn.config, "create_ssl_context", None)
    if make is None:
        return kept

    def remembered(*args: Any, **kwargs: Any) -> ssl.SSLContext:
        context: ssl.SSLContext = make(*args, **kwargs)
        certificate = kwargs.get("certfile") or (args[0] if args else None)
        if certificate:
            kept.append((context, str(certificate)))
        return context

    uvicorn.config.create_ssl_context = remembered
    return kept


def open_many() -> None:
    """Let this process have as many connections as the system allows it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS names a limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    """Start the SuperLink; this returns when it ends."""
    from flwr.supercore import log
    from flwr.superlink.cli import flower_superlink

    open_many()
    kept = keep_contexts()

    def read_anew(number: int, frame: object) -> None:
        for context, file in kept:
            try:
                context.load_cert_chain(file)  # one file holds the key and the certificate
                log(20, "SIGHUP: the certificate %s was read anew", file)
            except (OSError, ssl.SSLError) as error:
                log(40, "SIGHUP: the certificate %s stays as it was: %s", file, error)

    signal.signal(signal.SIGHUP, read_anew)
    flower_superlink()


if __name__ == "__main__":
    main()
