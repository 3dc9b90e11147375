"""The simulated carrier as a process of its own, behind its HTTP interface."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from campaigns.process.clock import SystemClock
from dialer.carrier.carrier_settings import CarrierSettings
from dialer.carrier.http.app import create_carrier_app
from dialer.carrier.http.callbacks import loopback
from dialgate.composition import simulated_carrier
from dialgate.connections.bounds import bounds_of
from dialgate.connections.server import Server, configured
from dialgate.process import listen
from dialgate.settings import ProcessSettings

HEAD_MAX_BYTES = 16 * 1024  # Of a request's line and headers: ours are short.
GRACE_S = 1  # A request that waits for its ring to begin must not delay the stop.


async def serve(
    process: ProcessSettings,
    settings: CarrierSettings,
    clock: SystemClock,
    show: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        OSError: the port is in use, the address is not local, or the carrier would place calls for
            anyone without a secret.
        CarrierUnavailableError: another carrier has the file open, or it is damaged.
        Exception: a timer of the carrier has failed; its rings continue at the next start.

    """
    if settings.secret is None and not loopback(process.host):
        raise OSError(
            f"DIALGATE_CARRIER_SECRET: expected one, the same at the dialers, since the carrier"
            f" listens on {process.host}, where others reach it; found none"
        )
    carrier = simulated_carrier(process, settings, clock)
    app = create_carrier_app(carrier, clock, settings.secret, settings.callback_origins())
    listener = listen(process)
    config = configured(app, bounds_of(process, HEAD_MAX_BYTES), GRACE_S)
    async with app.router.lifespan_context(app):
        port = listener.getsockname()[1]
        show(f"dialgate carrier on http://{process.host}:{port} (pid {os.getpid()})")
        server = _Server(config)
        watching = asyncio.create_task(carrier.watch(), name="carrier watched")
        watching.add_done_callback(lambda _: setattr(server, "should_exit", True))
        await server.serve(sockets=[listener])
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    if not watching.cancelled() and (failure := watching.exception()):
        raise failure


class _Server(Server):
    """uvicorn that exits with 0 on a signal: by itself it would raise the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield
