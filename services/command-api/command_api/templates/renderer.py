"""Templates, rendered in a process beside this one: bounded in time, memory and size."""

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass
from typing import Any

from campaigns.process.errors import OperatingError
from campaigns.process.metrics import SHARES_SPENT
from command_api.turns import Turns

LINE_BYTES_MAX = 2**21  # An answer: RESULT_CHARS_MAX, escaped.
WAITING_MAX = 10  # Requests of one organization; one template is rendered at a time.
ALARM_AFTER = 2  # Times the limit: the worker's own alarm, in case this process has died.


class RenderingBusyError(OperatingError):
    """Too many templates wait to be rendered."""


@dataclass
class Renderer:
    """One worker process, started by the first request and again after it was killed."""

    within_s: float
    waiting_max: int = WAITING_MAX  # Of one organization.
    _worker: asyncio.subprocess.Process | None = None

    def __post_init__(self) -> None:
        self._turns = Turns(self.waiting_max)

    async def render(
        self, template: str, variables: dict[str, Any], organization_id: int = 0
    ) -> tuple[str | None, str]:
        """Return the text; or None, and what is wrong with the template. Any: JSON.

        Raises:
            RenderingBusyError: too many of this organization are waiting.

        """
        if self._turns.full(organization_id):
            SHARES_SPENT.labels("previews").inc()
            raise RenderingBusyError("too many templates wait to be rendered")
        async with self._turns.turn(organization_id):
            return await self._render(template, variables)

    async def _render(self, template: str, variables: dict[str, Any]) -> tuple[str | None, str]:
        worker = await self._running()
        assert worker.stdin is not None, "its pipes are ours"
        assert worker.stdout is not None, "its pipes are ours"
        request = json.dumps({"template": template, "variables": variables}).encode()
        try:
            async with asyncio.timeout(self.within_s):
                worker.stdin.write(request + b"\n")
                await worker.stdin.drain()
                line = await worker.stdout.readline()
        except TimeoutError:
            await self.close()
            return None, "it takes too long"
        except ConnectionError:
            line = b""
        except BaseException:  # Cancelled, or a bad answer: its rest is for no other request.
            await self.close()
            raise
        if not line:
            await self.close()
            return None, "it cannot be rendered"
        answer: dict[str, str] = json.loads(line)
        return answer.get("rendered"), answer.get("error", "")

    async def _running(self) -> asyncio.subprocess.Process:
        if self._worker is None or self._worker.returncode is not None:
            self._worker = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-m", "command_api.templates.worker", str(self.within_s * ALARM_AFTER)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=LINE_BYTES_MAX,
                env={},  # No secrets of this process.
            )
            assert self._worker.stdout is not None, "its pipes are ours"
            await self._worker.stdout.readline()  # Ready: its start is not a template's time.
        return self._worker

    async def close(self) -> None:
        """Kill the worker, whatever it is doing."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        await worker.wait()
