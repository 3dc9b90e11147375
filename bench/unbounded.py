"""The floor of bench/door.py: the command API on plain uvicorn, without our door."""

import uvicorn
from starlette.types import ASGIApp

from dialgate import process
from dialgate.__main__ import main
from dialgate.connections.bounds import Bounds


def plain(app: ASGIApp, bounds: Bounds, drain_s: float) -> uvicorn.Config:
    """Return uvicorn's own configuration, without bounds."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http="httptools",
        proxy_headers=False,
        timeout_graceful_shutdown=int(drain_s) or 1,
    )


if __name__ == "__main__":
    process.__dict__["configured"] = plain
    main()
