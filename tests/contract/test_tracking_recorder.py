"""The projector's store passes the eventsourcing library's own suite, on both databases."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventsourcing.persistence import Tracking
from eventsourcing.tests.persistence import TrackingRecorderTestCase

from campaigns.process.errors import StoreUnavailableError
from projector.store.tables import METADATA
from projector.store.view_store import ViewStore
from tests.support.postgres import postgres_url


class TestSqlite(TrackingRecorderTestCase):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> Iterator[None]:
        self.folder, self.stores = tmp_path, list[ViewStore]()
        yield
        for store in self.stores:
            store.close()

    def create_recorder(self) -> ViewStore:
        self.stores.append(ViewStore(None, self.folder))
        return self.stores[-1]

    def test_a_waiter_is_woken_at_once(self) -> None:
        store, took = self.create_recorder(), list[float]()
        store.insert_tracking(Tracking("upstream1", 1))
        for number in range(2, 12):
            threading.Timer(0.03, store.insert_tracking, [Tracking("upstream1", number)]).start()
            began = time.monotonic()
            store.wait("upstream1", number, timeout=5)
            took.append(time.monotonic() - began)
        assert min(took) < 0.09, "the library's own wait sleeps 100 ms each time"


class TestPostgres(TestSqlite):
    @pytest.fixture(autouse=True)
    def _server(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with postgres_url(tmp_path_factory.mktemp("postgres")) as self.url:
            yield

    def create_recorder(self) -> ViewStore:
        self.stores.append(ViewStore(self.url, None))
        METADATA.drop_all(self.stores[-1].engine)
        METADATA.create_all(self.stores[-1].engine)
        return self.stores[-1]


del TrackingRecorderTestCase  # Abstract: pytest would collect it.


def test_a_database_that_does_not_answer_is_told_in_a_sentence_without_its_password() -> None:
    store = ViewStore("postgresql://dialgate:secret@127.0.0.1:1/dialgate", None)
    with pytest.raises(StoreUnavailableError, match="the views' database cannot be used: ") as told:
        store.belongs_to("a log", publishes=False)
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)
    store.close()
