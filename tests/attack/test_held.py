"""What was tried and held: requests that two readers might read in two ways, and odd verbs."""

import pytest

from tests.attack.instance import Instance
from tests.attack.line import head
from tests.support.system import KEY

pytestmark = pytest.mark.e2e
CAMPAIGNS = "/api/v1/campaigns"
POST = f"POST {CAMPAIGNS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"

AMBIGUOUS = {
    "a length and chunks": POST
    + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET",
    "chunks and a length": POST
    + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET",
    "two lengths": POST + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "a length with a sign": POST + "Content-Length: +5\r\n\r\nabcde",
    "a negative length": POST + "Content-Length: -1\r\n\r\n",
    "a length beyond all": POST + f"Content-Length: {'9' * 30}\r\n\r\n",
    "a length of two words": POST + "Content-Length: 5 5\r\n\r\nabcde",
    "a hexadecimal length": POST + "Content-Length: 0x5\r\n\r\nabcde",
    "chunks that are not": POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks, then something": POST + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "lines without a return": POST.replace("\r\n", "\n") + "\n",
    "a space before the colon": POST + "Content-Length : 5\r\n\r\nabcde",
    "a line that goes on": POST + "X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "a chunk of no number": POST + "Transfer-Encoding: chunked\r\n\r\nz\r\n\r\n",
    "a chunk of a negative number": POST + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "a chunk beyond all": POST + "Transfer-Encoding: chunked\r\n\r\n" + "f" * 17 + "\r\n",
    "a chunk's extension over lines": POST + "Transfer-Encoding: chunked\r\n\r\n2;a\n\r\n{}\r\n",
    "a zero in a name": POST + "X\0A: b\r\n\r\n",
    "a zero in a value": POST + "X-A: b\0c\r\n\r\n",
    "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a verb of no HTTP": POST.replace("POST", "P\x00ST") + "\r\n",
    "a version of tomorrow": POST.replace("HTTP/1.1", "HTTP/1.9") + "\r\n",
    "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_what_could_be_read_in_two_ways_is_not_read(instance: Instance, what: str) -> None:
    with instance.connect() as line:
        line.send(AMBIGUOUS[what].encode("latin-1"))
        found = line.rest()
    assert found.startswith(b"HTTP/1.1 400 "), found
    assert found.count(b"HTTP/1.") == 1, "and nothing after it"


@pytest.mark.parametrize("verb", ["TRACE", "OPTIONS", "PROPFIND", "LINK", "MKCOL"])
def test_no_verb_but_ours_is_served(instance: Instance, verb: str) -> None:
    with instance.connect() as line:
        line.send(head(verb, CAMPAIGNS, KEY, Origin="http://127.0.0.1"))
        status, headers, _ = line.answer()
    assert status == 405
    assert not [name for name in headers if name.startswith("access-control")]


def test_what_is_plain_is_served(instance: Instance) -> None:
    with instance.connect() as line:
        line.send(head("GET", CAMPAIGNS, KEY) * 3)
        assert [line.answer()[0] for _ in range(3)] == [200, 200, 200]
