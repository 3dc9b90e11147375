"""A receiver whose certificate is wrong is sent nothing; once it is right, all comes, in order."""

from pathlib import Path
from typing import Any

import pytest

from projector.deliveries.delivery_store import DeliveryStore
from tests.support.certificates import Authority, serving
from tests.support.deliveries import PATIENT, Projection, a_webhook, in_order
from tests.support.list_feed import ListFeed
from tests.support.receiver import receiving
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"own": True}, "self-signed certificate"),
        ({"address": "127.0.0.2"}, "IP address mismatch"),
        ({"days": -1}, "certificate has expired"),
    ],
    ids=["self-signed", "another's name", "expired"],
)
async def test_a_wrong_certificate_is_refused_until_it_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], why: str
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))  # As an operator names his own.
    context = serving(authority.server(**wrong))
    feed, store = ListFeed(), DeliveryStore(None, tmp_path)
    async with (
        receiving(tls=context) as receiver,
        Projection(feed, store, PATIENT).running() as here,
    ):
        for n in range(20):
            feed.add(1 + n % 2)
        webhook = a_webhook(receiver, feed)
        here.put(webhook)
        await until(lambda: here.standing().last_response is not None)
        tries = here.deliverer._couriers["wh_1"]._recipient
        await until(lambda: tries._failures >= 2)  # It was tried again.
        last = here.standing().last_response
        assert last
        assert last.status is None
        assert "CERTIFICATE_VERIFY_FAILED" in (last.error or "")
        assert why in (last.error or "")
        assert here.standing().status(webhook) == "failing"
        assert receiver.requests == []
        context.load_cert_chain(authority.server())
        await until(lambda: here.standing().cursor == feed.at(20))
        in_order(feed, receiver.requests)
        assert all(one.checked() for one in receiver.requests)
        assert here.standing().status(webhook) == "active"
    store.close()
