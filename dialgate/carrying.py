"""The simulated carrier as a process of its own, behind its HTTP interface."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator

import uvicorn

from campaigns.clock import SystemClock
from dialer.carrier_app import create_carrier_app
from dialer.carrier_settings import CarrierSettings
from dialgate.composing import simulated_carrier
from dialgate.serving import listen
from dialgate.settings import ProcessSettings

GRACE_S = 1  # A request that is held back for a ring must not hold back the end.


async def serve(
    process: ProcessSettings,
    settings: CarrierSettings,
    clock: SystemClock,
    show: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        OSError: the port is in use, or the address is not ours.
        CarrierUnavailableError: another carrier has the file open, or it is damaged.
        Exception: a timer of the carrier has failed; its rings go on at the next start.

    """
    carrier = simulated_carrier(process, settings, clock)
    app = create_carrier_app(carrier, clock)
    listener = listen(process)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",  # What fails before anything is served is ours to tell.
        timeout_graceful_shutdown=GRACE_S,
    )
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


class _Server(uvicorn.Server):
    """uvicorn that ends well when it is asked to: its own would raise the signal once more."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield
