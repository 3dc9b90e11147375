"""The route on which a dialer's process takes the carrier's callbacks."""

import secrets

from fastapi import APIRouter, HTTPException, Request
from pydantic import ValidationError

from dialer.carrier.http.client import HttpCarrier
from dialer.carrier.http.wire import CALLBACK_PATH, EndedEvent
from dialer.carrier.validation import ImplausibleError


def callback_router(carrier: HttpCarrier) -> APIRouter:
    """Return the route that takes the carrier's callbacks."""
    router = APIRouter()

    @router.post(f"{CALLBACK_PATH}{{token}}", status_code=204, include_in_schema=False)
    async def ended(token: str, request: Request) -> None:
        """Take a call's end; 404 unless the token is this process's own, 422 if implausible."""
        if not secrets.compare_digest(token.encode(), carrier.token.encode()):
            raise HTTPException(404)
        try:
            carrier.reported(EndedEvent.model_validate_json(await request.body()))
        except ValidationError as exc:  # Without the input: it may be no JSON.
            said = exc.errors(include_url=False, include_context=False, include_input=False)
            raise HTTPException(422, said) from exc
        except ImplausibleError as exc:
            raise HTTPException(422, str(exc)) from exc

    return router
