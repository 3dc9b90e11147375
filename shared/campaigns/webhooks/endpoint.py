"""One receiver of events: what is posted to it, signed by Standard Webhooks, and its answer.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
import re
import ssl
from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import httpcore
from pydantic import SecretStr
from standardwebhooks import Webhook

from campaigns.records.cloud_event import CONTENT_TYPE
from campaigns.webhooks.address_guard import AddressRefusedError, GuardedBackend

SECRET_BYTES_MIN = 24  # Source: Standard Webhooks, "Signature scheme".
_DRAIN_S = 1.0  # How long what follows the status is read for.
_ANSWER_BYTES_MAX = 64 * 1024  # More of an answer is not read, and its connection not used again.
_PLAIN = re.compile(r"[!-~]+", re.ASCII)
_KEPT_S = 30.0  # How long an idle connection is kept.


class WebhookAnswer(NamedTuple):
    """What became of one delivery."""

    status: int | None  # None: no answer.
    error: str | None  # None: delivered. Never with the receiver's own text.
    retry_after_s: float | None = None  # As the receiver asked.

    @property
    def delivered(self) -> bool:
        """Say whether the receiver has taken it."""
        return self.error is None

    @property
    def gone(self) -> bool:
        """Say whether the receiver wants nothing more. Source: Standard Webhooks, 410 Gone."""
        return self.status == 410


class Endpoint:
    """Posts events to one URL. Redirects are not followed, and no proxy is used."""

    def __init__(
        self,
        url: str,
        secrets: Sequence[SecretStr],
        timeout_s: float,
        *,
        private: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Check the URL and the secrets; connect to nothing yet.

        `secrets`: each signs, so that a receiver may know the old or the new one. `private`: allow
        http, and addresses inside the network. `tls` None: the system's authorities.

        Raises:
            AddressRefusedError: the URL is not one to deliver to.
            ValueError: a secret is not `whsec_` and base64 of 24 bytes or more.

        """
        self.url, self._timeout_s = checked_url(url, private=private), timeout_s
        self._signers = [_signer(secret) for secret in secrets]
        self._tls, self._private = tls or ssl.create_default_context(), private
        self._pool = self._made()

    def _made(self) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(
            ssl_context=self._tls,
            max_connections=1,
            keepalive_expiry=_KEPT_S,
            network_backend=GuardedBackend(private=self._private),
        )

    async def post(self, message_id: str, body: bytes, now: datetime) -> WebhookAnswer:
        """Deliver one message, once; return within `timeout_s`.

        Raises:
            AddressRefusedError: its address is inside the network; nothing was sent.

        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._posted(self._headers(message_id, body, now), body, now)
        except TimeoutError:
            why = f"no answer within {self._timeout_s:g} s"
        # ValueError: a name that is none, which TLS or the resolver refuses.
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError) as exc:
            why = f"no answer: {exc or type(exc).__name__}"
        # A pool whose request was cancelled may stay busy for ever.
        broken, self._pool = self._pool, self._made()
        await broken.aclose()
        return WebhookAnswer(None, why)

    def _headers(self, message_id: str, body: bytes, now: datetime) -> list[tuple[str, str]]:
        signed = [one.sign(message_id, now, body.decode()) for one in self._signers]
        return [
            ("content-type", CONTENT_TYPE),
            ("user-agent", "dialgate"),
            ("webhook-id", message_id),
            ("webhook-timestamp", str(int(now.timestamp()))),
            ("webhook-signature", " ".join(signed)),
        ]

    async def _posted(
        self, headers: list[tuple[str, str]], body: bytes, now: datetime
    ) -> WebhookAnswer:
        async with self._pool.stream("POST", self.url, headers=headers, content=body) as response:
            await self._drain(response)
            if 200 <= response.status < 300:
                return WebhookAnswer(response.status, None)
            found = {name.lower(): value for name, value in response.headers}
            wait_s = _retry_after(found.get(b"retry-after"), now)
            return WebhookAnswer(response.status, f"answered {response.status}", wait_s)

    async def _drain(self, response: httpcore.Response) -> None:
        """Read what follows the status, so that the connection is kept; a bounded part of it.

        Whatever becomes of it, the status is the answer.
        """
        read = 0
        with suppress(httpcore.NetworkError, httpcore.ProtocolError, TimeoutError):
            async with asyncio.timeout(min(_DRAIN_S, self._timeout_s / 4)):
                async for some in response.aiter_stream():
                    if (read := read + len(some)) > _ANSWER_BYTES_MAX:
                        break

    async def close(self) -> None:
        """Close the connection."""
        await self._pool.aclose()


def checked_url(url: str, *, private: bool) -> str:
    """Return a URL that may be delivered to, as far as its text tells.

    Raises:
        AddressRefusedError: it may not.

    """
    try:
        found = urlsplit(url)
        host, _ = found.hostname, found.port
    except ValueError as exc:
        raise AddressRefusedError(f"expected an https URL, found one that is none: {exc}") from exc
    if not _PLAIN.fullmatch(url):
        raise AddressRefusedError("expected a URL of printable ASCII, other names in punycode")
    if found.scheme not in (("https", "http") if private else ("https",)) or not host:
        allowed = "an http or https URL" if private else "an https URL"
        raise AddressRefusedError(f"expected {allowed} with a host, found {found.scheme}://{host}")
    if found.username is not None or found.fragment:
        raise AddressRefusedError(f"{host}: expected a URL without a user and a fragment")
    return url


def _signer(secret: SecretStr) -> Webhook:
    try:
        key = b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if len(key) < SECRET_BYTES_MIN:
        raise ValueError(
            f"expected a secret of whsec_ and base64 of at least {SECRET_BYTES_MIN} bytes, as"
            " Standard Webhooks has them, found another text"  # Which is never shown.
        )
    return Webhook(key)


def _retry_after(value: bytes | None, now: datetime) -> float | None:
    """Return how long a receiver asks us to wait. Source: RFC 9110, section 10.2.3."""
    if value is None:
        return None
    text = value.decode("ascii", "replace").strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
