"""The simulated carrier as a process of its own: HTTP around carrier_simulated.py.

It outlives the dialer. For people who try the product and for tests that kill processes; it asks
for no key, so keep it on a network of your own. Its adapter is carrier_http.py.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from campaigns.clock import Clock
from campaigns.errors import CarrierUnavailableError
from dialer.carrier import Ended, NotFound
from dialer.carrier_simulated import SimulatedCarrier
from dialer.carrier_wire import About, Answer, NotFoundAnswer, Order, answer, event

CALLBACKS_AT_ONCE = 16  # Workers, and connections.
CALLBACKS_WAITING_MAX = 10_000  # More are dropped: whoever waits for them looks the call up.
CALLBACK_TIMEOUT_S = 2.0  # Of one try.
CALLBACK_RETRIES_S = (0.2, 1.0)  # Waits between tries; then it is given up.

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Callback:
    url: str
    body: bytes


class Callbacks:
    """Tells whoever placed a call of its end: a few tries, then never. Look-ups are the truth."""

    def __init__(self, carrier: SimulatedCarrier) -> None:
        self._carrier = carrier
        self._waiting: asyncio.Queue[_Callback] = asyncio.Queue(CALLBACKS_WAITING_MAX)
        self._workers: list[asyncio.Task[None]] = []

    def report(self, call_id: str, ended: Ended) -> None:
        """Take a call's end; the carrier's `Report`."""
        try:
            url = self._carrier.callback_url(call_id)
            if url is not None:
                body = event(call_id, ended).model_dump_json().encode()
                self._waiting.put_nowait(_Callback(url, body))
        except (CarrierUnavailableError, asyncio.QueueFull) as error:
            _logger.warning("callback for %s dropped: %r", call_id, error)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Send them, until the block ends; what is unsent then is dropped."""
        limits = httpx.Limits(max_connections=CALLBACKS_AT_ONCE, keepalive_expiry=2.0)
        async with (
            httpx.AsyncClient(timeout=CALLBACK_TIMEOUT_S, limits=limits, trust_env=False) as client,
            asyncio.TaskGroup() as group,
        ):
            workers = [group.create_task(self._work(client)) for _ in range(CALLBACKS_AT_ONCE)]
            try:
                yield
            finally:
                for worker in workers:
                    worker.cancel()

    async def _work(self, client: httpx.AsyncClient) -> None:
        while True:
            callback = await self._waiting.get()
            if not await _deliver(client, callback):
                _logger.info("callback to %s given up", callback.url)


async def _deliver(client: httpx.AsyncClient, callback: _Callback) -> bool:
    for wait_s in (*CALLBACK_RETRIES_S, None):
        try:
            response = await client.post(
                callback.url,
                content=callback.body,
                headers={"content-type": "application/json"},
            )
            if response.is_success:
                return True
            if response.is_client_error:  # A dialer that is gone had another token.
                return False
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            _logger.info("callback to %s: %r", callback.url, error)
        if wait_s is not None:
            await asyncio.sleep(wait_s)
    return False


def create_carrier_app(carrier: SimulatedCarrier, clock: Clock) -> FastAPI:
    """Serve a carrier; the app's lifespan opens and closes it."""
    callbacks = Callbacks(carrier)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await carrier.open(callbacks.report)
        try:
            async with callbacks.working():
                app.state.ready = True
                yield
        finally:
            app.state.ready = False
            await carrier.close()

    app = FastAPI(title="Dialgate's simulated carrier", lifespan=lifespan)
    app.state.ready = False
    app.add_exception_handler(CarrierUnavailableError, _unavailable)
    _add_calls(app, carrier)

    @app.get("/")
    async def about() -> About:
        """Say what the carrier declares, and what time it is by its clock."""
        return About(
            name=carrier.name,
            refuses_late=carrier.refuses_late,
            lookup_lag_s=carrier.lookup_lag_s,
            silence_s=carrier.silence_s,
            now=clock.now(),
        )

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        """Say that the process runs."""
        return {"status": "live"}

    @app.get("/health/ready")
    async def ready(response: Response) -> dict[str, str]:
        """Say whether calls are taken."""
        if not app.state.ready:
            response.status_code = 503
        return {"status": "ready" if app.state.ready else "not ready"}

    return app


def _add_calls(app: FastAPI, carrier: SimulatedCarrier) -> None:
    @app.put("/calls/{call_id:path}")
    async def place(call_id: str, order: Order) -> Answer:
        """Ring. Answers when the ring has begun or never will. Sent twice, it rings twice."""
        return answer(await carrier.place(order.call(call_id), order.ring_by, order.callback_url))

    @app.get("/calls/{call_id:path}", responses={404: {"model": NotFoundAnswer}})
    async def look_up(call_id: str, response: Response) -> Answer:
        """Say what became of a call."""
        found = await carrier.look_up(call_id)
        if isinstance(found, NotFound):
            response.status_code = 404
        return answer(found)

    @app.delete("/calls/{call_id:path}", status_code=204)
    async def hang_up(call_id: str) -> None:
        """End a call. Unknown and ended calls are no error."""
        await carrier.hang_up(call_id)


async def _unavailable(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, status_code=503)
