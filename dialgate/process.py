"""Run parts in one process behind one uvicorn: open, serve, drain, close, in that order.

The log opens before the parts and closes after them; nothing is served before all have opened; a
stop first lets requests finish, then drains the parts, then writes the checkpoints.
"""

import asyncio
import contextlib
import gc
import logging
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import PlainTextResponse

from campaigns.log.lag import lag_shape
from campaigns.log.port import EventLog
from campaigns.part import Lasting, Part, Remarking
from campaigns.process.clock import SystemClock
from campaigns.process.errors import ContractError, OperatingError
from campaigns.process.garbage import GC_AFTER
from campaigns.process.watch import EndedError, belongs_to
from dialgate.connections.bounds import Bounds
from dialgate.connections.server import BACKLOG, ListeningSocket, Server, configured
from dialgate.exit_codes import DONE, WENT_WRONG
from dialgate.loop_holds import measure
from dialgate.metrics import exposition
from dialgate.settings import ProcessSettings
from dialgate.shutdown import Shutdown

logger = logging.getLogger("dialgate")


@dataclass
class Process:
    """The parts that one process runs, and what they share."""

    settings: ProcessSettings
    event_log: EventLog
    parts: Sequence[Part]
    app: FastAPI
    bounds: Bounds  # Of its clients.
    listening: Callable[[str], None]  # Told the address once it serves.
    extras: Sequence[contextlib.AbstractAsyncContextManager[object]] = ()  # Opened after the parts.
    status: int = DONE
    _running: list[asyncio.Task[None]] = field(default_factory=list)

    async def serve(self) -> int:
        """Run until SIGTERM or SIGINT, or until a part fails. Returns the exit status."""
        listener = listen(self.settings)
        async with contextlib.AsyncExitStack() as stack:
            await self.event_log.open()
            stack.push_async_callback(self.event_log.close)
            for part in self.parts:
                await part.open()
                stack.push_async_callback(part.close)
            if (why := self.read_only) is not None:
                logger.warning("%s", why)
            for extra in self.extras:
                await stack.enter_async_context(extra)
            self.app.include_router(health(self))
            gc.collect()
            gc.freeze()  # Collections skip what start-up has made: it stays.
            gc.set_threshold(GC_AFTER)
            await self._serve(listener)
        return self.status

    async def _serve(self, listener: socket.socket) -> None:
        app = Shutdown(self.app, lambda: server.should_exit)
        server = Server(configured(app, self.bounds, self.settings.drain_s), self._leave)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: self._unforeseen(context, server))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, setattr, server, "should_exit", True)
        self._running = [asyncio.create_task(p.run(), name=p.name) for p in self.parts]
        for running in self._running:
            running.add_done_callback(lambda ended: self._ended(ended, server))
        measuring = asyncio.create_task(measure(), name="loop holds")
        host, port = listener.getsockname()[:2]
        self.listening(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        await server.serve(sockets=[listener])
        await asyncio.gather(
            *(p.drain() for p, r in zip(self.parts, self._running, strict=True) if not r.done())
        )
        measuring.cancel()
        for running in self._running:
            running.cancel()
        await asyncio.wait(self._running) if self._running else None

    def _leave(self) -> None:
        for part in self.parts:
            if isinstance(part, Lasting):
                part.leave()

    def _ended(self, ended: asyncio.Task[None], server: uvicorn.Server) -> None:
        if ended.cancelled() and server.should_exit:
            return
        how = "was cancelled" if ended.cancelled() else "has ended"
        failure = None if ended.cancelled() else ended.exception()
        failure = failure or EndedError(f"it {how}, although the process was not stopping")
        self.status = WENT_WRONG
        server.should_exit = True
        for cause in _leaves(failure):
            logger.error(
                "%s stops: %s", ended.get_name(), cause,
                exc_info=None if isinstance(cause, ContractError | OperatingError) else cause,
            )  # fmt: skip

    def _unforeseen(self, context: dict[str, Any], server: uvicorn.Server) -> None:
        """End the process for an exception that nothing else has handled, not even a `Watch`.

        One that belongs to a connection ends only that connection; an outage ends nothing, nor does
        a connection of Kafka's client that is collected before it was closed, with its task.
        """
        failure = context.get("exception")
        fatal = not (
            server.should_exit
            or isinstance(failure, OSError | OperatingError | asyncio.CancelledError)
            or "transport" in context
            or "protocol" in context
            or any(belongs_to("aiokafka", one) for one in context.values())
        )
        message = context.get("message", "")
        logger.log(
            logging.ERROR if fatal else logging.WARNING,
            "unforeseen: %s: %r", message, failure, exc_info=failure if fatal else None,
        )  # fmt: skip
        if fatal:
            self.status = WENT_WRONG
            server.should_exit = True

    @property
    def read_only(self) -> str | None:
        """Return why the log takes no changes here; None: it is at home."""
        return next((why for one in self.parts if (why := one.reader.home.read_only)), None)

    async def look(self) -> None:
        """Have each part measure its lag. If the log does not answer, the last value stays."""
        # /health/ready reports it, and a log that was cut ends the part.
        with contextlib.suppress(TimeoutError, OperatingError, ContractError):
            async with asyncio.timeout(self.settings.ready_s):
                for part in self.parts:
                    await part.reader.look()

    async def troubles(self) -> list[str]:
        """Return why the process is not ready; empty when it is."""
        found = [f"{task.get_name()} has stopped" for task in self._running if task.done()]
        if not self.settings.data_dir.exists():
            found.append(f"{self.settings.data_dir} is gone")
        else:
            free_mb = shutil.disk_usage(self.settings.data_dir).free // 2**20
            if free_mb < self.settings.disk_free_min_mb:
                found.append(f"disk is full: {free_mb} MB free in {self.settings.data_dir}")
        try:
            async with asyncio.timeout(self.settings.ready_s):
                for part in self.parts:
                    found.extend(await part.troubles())
        except TimeoutError:
            found.append(f"no answer from the log within {self.settings.ready_s} s")
        return found


def health(process: Process) -> APIRouter:
    """Return the routes about the process itself."""
    router, clock = APIRouter(include_in_schema=False), SystemClock()

    @router.api_route("/health/live", methods=["GET", "HEAD"])
    async def live() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "live"}

    @router.api_route("/health/ready", methods=["GET", "HEAD"])
    async def ready(response: Response) -> dict[str, object]:
        """Say whether it can do its work: 200, or 503 with the reasons.

        A copy of a log is ready to answer queries, and `read_only` says why it does no more.
        """
        said: dict[str, object] = {"read_only": why} if (why := process.read_only) else {}
        if found := await process.troubles():
            response.status_code = 503
            return {"status": "not ready", "troubles": found, **said}
        remarks = [one for p in process.parts if isinstance(p, Remarking) for one in p.remarks()]
        return {"status": "ready", **({"remarks": remarks} if remarks else {}), **said}

    @router.api_route("/health/lag", methods=["GET", "HEAD"])
    async def lag() -> dict[str, object]:
        """Say how far each part is behind the log: in records, and in seconds."""
        await process.look()
        readers, now = {part.name: part.reader for part in process.parts}, clock.now()
        return {name: lag_shape(one.behind.lag(one.visible, now)) for name, one in readers.items()}

    @router.api_route("/metrics", methods=["GET", "HEAD"])
    async def metrics() -> PlainTextResponse:
        """Return all metrics in Prometheus' text format."""
        await process.look()
        text, content_type = exposition(process.parts)
        return PlainTextResponse(text, media_type=content_type)

    return router


def listen(settings: ProcessSettings) -> socket.socket:
    """Take the port, before anything else starts.

    Raises:
        OSError: it is in use, or the address is not local.

    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named, or asyncio does not set TCP_NODELAY on accepted sockets, and every
    # answer waits 40 ms for a delayed acknowledgement (seen in bench/pause.py).
    listener = ListeningSocket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise OSError(f"cannot listen on {settings.host}:{settings.port}: {exc.strerror}") from exc
    return listener


def _leaves(failure: BaseException) -> Iterator[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        for inner in failure.exceptions:
            yield from _leaves(inner)
    else:
        yield failure


@contextlib.asynccontextmanager
async def opened(thing: object) -> AsyncIterator[object]:
    """Open something that has `open` and `close`, and close it at the end."""
    await thing.open()  # type: ignore[attr-defined]  # Structural: Membership, KafkaEvents.
    try:
        yield thing
    finally:
        await thing.close()  # type: ignore[attr-defined]
