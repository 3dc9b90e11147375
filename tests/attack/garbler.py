"""Requests that are almost HTTP: good ones, spoilt in up to four ways. No test in here."""

import random
from collections.abc import Callable

from tests.attack.line import head

API = "/api/v1/campaigns"
JSON, FORM = "application/json", "multipart/form-data; boundary=b"
CSV = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n'
    b"Content-Type: text/csv\r\n\r\nphone\r\n+15551234567\r\n--b--\r\n"
)
# Nothing of this can be done, so that what is found afterwards is what was there before.
BODIES = {
    f"POST {API}": b'{"name": "x", "assistant_id": 0, "campaign_type": "fax", "contacts": [{}]}',
    f"PUT {API}/99999": b'{"name": "x"}',
    f"PATCH {API}/99999": b'{"settings": {"max_attempts": 2}}',
    f"POST {API}/99999/contacts": b'{"contacts": [{"phone_number": "+15551234567"}]}',
    f"POST {API}/99999/pause": b'{"reason": "x"}',
    f"POST {API}/99999/schedule": b'{"schedule_type": "immediate"}',
    f"POST {API}/99999/re-execute": b'{"contact_selection": "all"}',
    "POST /api/v1/keys": b'{"scope": "none"}',
}
QUESTIONS = (
    f"GET {API}", f"HEAD {API}", f"GET {API}/1", f"GET {API}/1/contacts?page=1", "GET /docs",
    f"GET {API}/1/executions?per_page=5&skip=1", f"GET {API}/1/progress", "GET /openapi.json",
    "GET /health/live", "GET /metrics", "DELETE /api/v1/keys/0123456789abcdef", "OPTIONS *",
    f"POST {API}/99999/start", "GET http://x/health/live", "CONNECT x:80", "GET /carrier/events/x",
)  # fmt: skip
SOCKET: dict[str, str | int] = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": 13,
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec_WebSocket_Protocol": "burki-token-x",
    "Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits",
}  # fmt: skip
FRAMES = (b"\x81\x85abcd", b"\x88\x80abcd", b"\xc1\x84\0\0\0\0\xff\xff\xff\xff", b"\x8f\x80")

# What has broken parsers before.
TOKENS = (
    b"\r\n", b"\n", b"\r", b"\0", b"\r\n\r\n", b" ", b"\t", b":", b",", b";", b"%", b"%00", b"%zz",
    b"%2e%2e/", b"//", b"?", b"#", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\x7f", b"\x1b[2J",
    b"-1", b"+1", b"0x10", b"1e9", b"9" * 25, b"a" * 5000, b"=", b'"', b"'", b"\\", b"{",
    b"[" * 300,
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 0\r\n", b"Content-Length: 7\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"Host: \r\n",
    b"Connection: close, keep-alive\r\n", b"Authorization: Bearer \xff\r\n", b"If-Match: \xff\r\n",
    b"Prefer: respond-async\r\n", b"Idempotency-Key: \x80\r\n", b"X-Request-ID: \xe9\r\n",
    b"Content-Type: application/json; charset=utf-16\r\n", b"Content-Type: multipart/form-data\r\n",
    b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)  # fmt: skip


def request(dice: random.Random, key: str) -> bytes:
    """Return a good request."""
    shown = dice.choice((key, key, key, None, "wrong"))
    more: dict[str, str | int] = {} if dice.random() < 0.2 else {"Connection": "close"}
    kind = dice.random()
    if kind < 0.12:
        path = dice.choice(("/ws/campaigns/monitor", "/ws/campaigns/1/progress", "/ws/x", API))
        frames = b"".join(dice.choices(FRAMES, k=dice.randrange(4)))
        return head("GET", path, shown, **SOCKET) + frames
    if kind < 0.5:
        method, _, path = dice.choice(QUESTIONS).partition(" ")
        return head(method, path, shown, **more)
    if kind < 0.6:
        method, path, body, form = "POST", f"{API}/99999/import-data", CSV, FORM
    else:
        what = dice.choice(list(BODIES))
        (method, _, path), body, form = what.partition(" "), BODIES[what], JSON
    more["Content_Type"] = form
    if dice.random() < 0.3:
        more["Transfer_Encoding"] = "chunked"
        cut = dice.randrange(1, len(body))
        pieces = (body[:cut], body[cut:])
        body = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"
    else:
        more["Content_Length"] = len(body)
    return head(method, path, shown, **more) + body


def _flipped(dice: random.Random, raw: bytes) -> bytes:
    at = dice.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ (1 << dice.randrange(8))]) + raw[at + 1 :]


def _inserted(dice: random.Random, raw: bytes) -> bytes:
    at = dice.randrange(len(raw) + 1)
    return raw[:at] + dice.choice(TOKENS) + raw[at:]


def _field(dice: random.Random, raw: bytes) -> bytes:
    """Insert at the begin of a line."""
    lines = raw.split(b"\r\n")
    at = dice.randrange(1, len(lines) + 1)
    return b"\r\n".join([*lines[:at], dice.choice(TOKENS).rstrip(b"\r\n"), *lines[at:]])


def _cut(dice: random.Random, raw: bytes) -> bytes:
    begin, end = sorted((dice.randrange(len(raw) + 1), dice.randrange(len(raw) + 1)))
    return raw[:begin] + raw[begin + (end - begin) // 8 :]


def _doubled(dice: random.Random, raw: bytes) -> bytes:
    begin, end = sorted((dice.randrange(len(raw) + 1), dice.randrange(len(raw) + 1)))
    return raw[:end] + raw[begin:]


def _ended(dice: random.Random, raw: bytes) -> bytes:
    return raw[: dice.randrange(1, len(raw) + 1)]


SPOILING: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _flipped, _flipped, _inserted, _inserted, _field, _field, _cut, _doubled, _ended,
)  # fmt: skip


def garbled(dice: random.Random, key: str) -> bytes:
    """Return a request that is spoilt in one to four ways, or two of them in one."""
    raw = request(dice, key)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 4))):
        raw = dice.choice(SPOILING)(dice, raw) or b"\r\n"
    return raw if dice.random() < 0.9 else raw + request(dice, key)
