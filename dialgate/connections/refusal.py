"""Answers, as bytes, to requests that do not reach an application. Pure."""

from collections.abc import Iterable

import orjson

BAD_REQUEST = b"400 Bad Request"
TIMEOUT = b"408 Request Timeout"
HEAD_TOO_LARGE = b"431 Request Header Fields Too Large"
UNAVAILABLE = b"503 Service Unavailable"


def refusal(status: bytes, detail: str, given: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return an answer that closes its connection. `given`: the headers of every answer."""
    body = orjson.dumps({"detail": detail})
    fields = [b"%b: %b\r\n" % field for field in given]
    head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
    return b"".join((b"HTTP/1.1 %b\r\n" % status, *fields, head % len(body), body))
