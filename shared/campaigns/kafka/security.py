"""Authentication between us and Kafka's brokers: TLS, certificates, SASL; and why it failed."""

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import (
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

TOKEN_S = 10.0  # Timeout of a request to the authorization server.
EARLY_S = 30.0  # A token is replaced so long before it expires.


@dataclass(frozen=True, slots=True)
class Security:
    """The security settings. The defaults: no TLS, no authentication."""

    protocol: str = "PLAINTEXT"  # Or SSL, SASL_PLAINTEXT, SASL_SSL.
    mechanism: str | None = None  # PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER.
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    cafile: Path | None = None  # PEM of the CA of the brokers' certificates. None: the system's.
    certfile: Path | None = None  # PEM of our own certificate and its intermediates.
    keyfile: Path | None = None  # PEM of its key.
    tokens: AbstractTokenProvider | None = None  # For OAUTHBEARER.

    @property
    def encrypted(self) -> bool:
        """Say whether connections are TLS."""
        return self.protocol.endswith("SSL")

    def context(self) -> ssl.SSLContext:
        """Return the TLS context. Files are reread each time, since certificates are renewed.

        Raises:
            OSError: a file cannot be read, or is not a certificate or key; the message names it.

        """
        context = ssl.create_default_context()
        for what, path in (("CA", self.cafile), ("certificate", self.certfile)):
            if path is None:
                continue
            _readable(path)
            try:
                if what == "CA":
                    context = ssl.create_default_context(cafile=path)
                else:
                    if self.keyfile is not None:
                        _readable(self.keyfile)
                    context.load_cert_chain(path, self.keyfile, password=_no_password)
            except (ssl.SSLError, ValueError) as exc:
                pair = f"{path} and {self.keyfile}" if what == "certificate" else f"{path}"
                raise OSError(f"{pair}: no usable {what} in PEM: {exc}") from exc
        return context

    def options(self) -> dict[str, Any]:  # Any: aiokafka's own options.
        """Return the settings as options of aiokafka's clients.

        Raises:
            OSError: as `context`.

        """
        options: dict[str, Any] = {"security_protocol": self.protocol}
        if self.encrypted:
            options["ssl_context"] = self.context()
        if self.protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
                "sasl_oauth_token_provider": self.tokens,
            }
        return options

    def why(self, no: BaseException) -> str:
        """Return in a sentence why a connection failed, and which setting is involved."""
        authorities = self.cafile or "the system's certificate authorities"
        where = f"its issuer must be among {authorities}"
        match no:
            case ssl.SSLCertVerificationError():
                return f"the broker's certificate is not accepted: {no.verify_message}; {where}"
            case ssl.SSLError():
                own = self.certfile or "none"
                return f"TLS failed: {no.reason or no}; our own certificate: {own}"
            case SaslAuthenticationFailed():
                return f"{self.mechanism} as {self.username or 'the token'}: {no}"
            case UnsupportedSaslMechanismError():
                return f"{no}"
            case TimeoutError():
                return f"no answer; perhaps it does not speak {self.protocol}"
            case KafkaError() if self.encrypted and self.certfile is None:
                return f"{no}; perhaps it requires a client certificate, and none is configured"
            case KafkaError():
                return f"{no}; perhaps it does not speak {self.protocol}"
            case _:
                return f"{no}" or repr(no)


def _no_password() -> str:
    """Refuse a password: by default, ssl would prompt for one at the terminal."""
    raise ValueError("the key has a password; one without is expected")


def _readable(path: Path) -> None:
    if not os.access(path, os.R_OK) or not path.is_file():
        raise OSError(f"{path}: cannot be read")


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types.
    """Reads the token from a file that another program renews."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """Return the file's current content.

        Raises:
            OSError: it cannot be read.

        """
        return self._path.read_text().strip()


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types.
    """Gets tokens from an authorization server. Source: RFC 6749, section 4.4."""

    def __init__(self, url: str, client_id: str, secret: str, scope: str | None) -> None:
        self._url, self._client_id, self._secret, self._scope = url, client_id, secret, scope
        self._token, self._until = "", 0.0
        self._asking = asyncio.Lock()

    async def token(self) -> str:
        """Return a token that is valid for at least EARLY_S, if the server issues such.

        Raises:
            OSError: the server issued none.

        """
        loop = asyncio.get_running_loop()
        async with self._asking:
            if loop.time() >= self._until:
                answer = await self._ask()
                self._token = str(answer["access_token"])
                lasts_s = float(answer.get("expires_in", EARLY_S))
                self._until = loop.time() + max(0.0, lasts_s - EARLY_S)
        return self._token

    async def _ask(self) -> Mapping[str, Any]:  # Any: JSON.
        form = {"grant_type": "client_credentials"} | (
            {"scope": self._scope} if self._scope else {}
        )
        try:
            async with httpx.AsyncClient(timeout=TOKEN_S, trust_env=False) as client:
                answer = await client.post(
                    self._url, data=form, auth=(self._client_id, self._secret)
                )
                answer.raise_for_status()
                found: Mapping[str, Any] = answer.json()
                if not isinstance(found.get("access_token"), str):
                    raise ValueError("no access_token in the answer")
                return found
        except (httpx.HTTPError, ValueError, AttributeError) as exc:
            raise OSError(f"{self._url} issued no token to {self._client_id}: {exc}") from exc
