"""The simulated carrier as a process of its own: HTTP around simulated_carrier.py.

It outlives the dialer: for people who try the product, and for tests that kill processes. door.py
checks requests, callbacks.py reports ends; the dialer's adapter is client.py.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import SecretStr

from campaigns.process.clock import Clock
from campaigns.process.errors import CarrierUnavailableError
from dialer.carrier.home_keeper import HOME, DialingHome
from dialer.carrier.http.callbacks import Callbacks
from dialer.carrier.http.door import CarrierDoor
from dialer.carrier.http.wire import (
    About,
    Answer,
    HomeRefusal,
    NotFoundAnswer,
    Order,
    answer,
)
from dialer.carrier.port import Elsewhere, NotFound
from dialer.carrier.simulated.simulated_carrier import SimulatedCarrier

REPLACED = 409
HomeHeader = Annotated[str | None, Header(alias=HOME)]


def create_carrier_app(
    carrier: SimulatedCarrier,
    clock: Clock,
    secret: SecretStr | None = None,
    callbacks_to: Collection[str] = (),
) -> FastAPI:
    """Serve a carrier; the app's lifespan opens and closes it.

    `secret`: required of each request; None: any client may call.
    `callbacks_to`: the origins that may be called back; empty: this machine alone.
    """
    callbacks = Callbacks(carrier, callbacks_to)

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

    app = FastAPI(  # Its pages would load scripts from another host.
        title="Dialgate's simulated carrier", lifespan=lifespan, openapi_url=None
    )
    app.add_middleware(CarrierDoor, carrier=carrier, secret=secret)
    app.state.ready = False
    app.add_exception_handler(CarrierUnavailableError, _unavailable)
    _add_calls(app, carrier)

    @app.get("/")
    async def about() -> About:
        """Say what the carrier declares, and what time it is by its clock."""
        return About(
            name=carrier.name,
            id=carrier.id,
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
    @app.put("/homes", status_code=204)
    async def announce(home: HomeHeader) -> Response:
        """Take note of the home that a dialer begins for; 409: another has replaced it."""
        return _refused(carrier, home, begins=True) or Response(status_code=204)

    @app.put("/calls/{call_id:path}", response_model=Answer)
    async def place(call_id: str, order: Order, home: HomeHeader = None) -> Answer | Response:
        """Ring. Answers when the ring has begun or never will. Sent twice, it rings twice.

        409: another home of the caller's log places calls here, and nothing rings.
        """
        if (refused := _refused(carrier, home, begins=False)) is not None:
            return refused
        placed = await carrier.place(order.call(call_id), order.ring_by, order.callback_url)
        assert not isinstance(placed, Elsewhere), "the door has looked"
        return answer(placed)

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


def _refused(carrier: SimulatedCarrier, said: str | None, *, begins: bool) -> Response | None:
    """Return the answer to a dialer whose home is not taken. A dialer that names none is."""
    if said is None:
        return None
    try:
        home = DialingHome.parsed(said)
    except ValueError:
        return JSONResponse({"detail": f"{HOME}: expected a home, found another text"}, 422)
    if (why := carrier.homes.refusal(home, begins=begins)) is None:
        return None
    body = HomeRefusal(detail=why, generation=carrier.homes.generation(home.installation))
    return JSONResponse(body.model_dump(), REPLACED)


async def _unavailable(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, status_code=503)
