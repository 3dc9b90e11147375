"""Tokens for OAUTHBEARER, from a file and from an authorization server."""

import asyncio
import base64
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from campaigns.kafka.security import ClientCredentials, Security, TokenFile


async def test_a_token_is_what_stands_in_the_file_now(tmp_path: Path) -> None:
    file = tmp_path / "token"
    tokens = TokenFile(file)
    with pytest.raises(OSError, match="token"):
        await tokens.token()
    for text in ("first", "second"):
        file.write_text(text + "\n")
        assert await tokens.token() == text


class Authority:
    """An authorization server that counts."""

    def __init__(self, answer: str, status: str = "200 OK") -> None:
        self.answer, self.status, self.asked = answer, status, list[str]()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = int(next(x for x in head.lower().split("\r\n") if "content-length" in x).split()[1])
        self.asked.append(head + (await reader.readexactly(size)).decode())
        writer.write(
            f"HTTP/1.1 {self.status}\r\ncontent-length: {len(self.answer)}\r\n"
            f"connection: close\r\n\r\n{self.answer}".encode()
        )
        await writer.drain()
        writer.close()


async def token_of(authority: Authority, *, times: int = 1) -> list[str]:
    async with await asyncio.start_server(authority.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        tokens = ClientCredentials(f"http://127.0.0.1:{port}/token", "me", "secret", "kafka")
        return [await tokens.token() for _ in range(times)]


async def test_a_token_is_asked_for_with_our_credentials_and_kept_while_it_holds() -> None:
    authority = Authority('{"access_token": "t1", "token_type": "Bearer", "expires_in": 3600}')
    assert await token_of(authority, times=3) == ["t1"] * 3
    (asked,) = authority.asked
    head, _, body = asked.partition("\r\n\r\n")
    assert base64.b64encode(b"me:secret").decode() in head
    assert parse_qs(body) == {"grant_type": ["client_credentials"], "scope": ["kafka"]}


async def test_a_token_that_ends_soon_is_requested_again() -> None:
    authority = Authority('{"access_token": "t1", "expires_in": 5}')
    await token_of(authority, times=3)
    assert len(authority.asked) == 3


@pytest.mark.parametrize(
    ("answer", "status"),
    [("no", "401 Unauthorized"), ("{}", "200 OK"), ("[]", "200 OK"), ("no JSON", "200 OK")],
)
async def test_no_token_is_an_error_that_names_the_server_and_no_secret(
    answer: str, status: str
) -> None:
    with pytest.raises(OSError, match="issued no token to me") as no:
        await token_of(Authority(answer, status))
    assert "secret" not in str(no.value)


def test_a_password_is_never_shown() -> None:
    assert "hidden" not in repr(Security("SASL_SSL", "PLAIN", "me", "hidden"))
