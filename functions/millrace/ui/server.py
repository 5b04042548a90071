"""The page served on this machine alone."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

from millrace.errors import UsageError
from millrace.ui.app import create_app
from millrace.ui.guard import TOKEN_PARAMETER
from millrace.ui.world import PageWorld

_HOST = "127.0.0.1"
PORT = 8765


def serve(world: PageWorld, port: int | None, on_start: Callable[[str], None]) -> None:
    """Serve until somebody interrupts; ``on_start`` gets the address with the token.

    Without a port it is 8765, so that addresses can be sent on, or any that is free. Raises UsageError for a port that
    is taken.
    """
    with _listen(port) as listener:
        on_start(f"http://{_HOST}:{listener.getsockname()[1]}/?{TOKEN_PARAMETER}={world.secret.token}")
        config = uvicorn.Config(
            create_app(world),
            log_level="warning",
            access_log=False,  # it would write the token
            server_header=False,
            lifespan="off",
            ws="none",
        )
        uvicorn.Server(config).run(sockets=[listener])


@contextlib.contextmanager
def _listen(port: int | None) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, PORT if port is None else port))
        except OSError as error:
            if port is not None:
                raise UsageError(
                    f"port {port} of {_HOST} cannot be had ({error.strerror}); --port 0 takes any"
                ) from error
            listener.bind((_HOST, 0))
        yield listener
