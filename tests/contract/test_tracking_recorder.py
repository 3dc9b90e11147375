"""The projector's store passes the eventsourcing library's own suite, on both databases."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventsourcing.persistence import Tracking
from eventsourcing.tests.persistence import TrackingRecorderTestCase

from projector.store import Store
from projector.tables import METADATA
from tests.postgres import postgres_url


class TestSqlite(TrackingRecorderTestCase):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> Iterator[None]:
        self.folder, self.stores = tmp_path, list[Store]()
        yield
        for store in self.stores:
            store.close()

    def create_recorder(self) -> Store:
        self.stores.append(Store(None, self.folder))
        return self.stores[-1]

    def test_a_waiter_is_woken_at_once(self) -> None:
        store = self.create_recorder()
        store.insert_tracking(Tracking("upstream1", 1))
        threading.Timer(0.03, store.insert_tracking, [Tracking("upstream1", 2)]).start()
        began = time.monotonic()
        store.wait("upstream1", 2, timeout=5)
        assert time.monotonic() - began < 0.09, "the library's own wait polls every 100 ms"


class TestPostgres(TestSqlite):
    @pytest.fixture(autouse=True)
    def _server(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with postgres_url(tmp_path_factory.mktemp("postgres")) as self.url:
            yield

    def create_recorder(self) -> Store:
        self.stores.append(Store(self.url, None))
        METADATA.drop_all(self.stores[-1].engine)
        METADATA.create_all(self.stores[-1].engine)
        return self.stores[-1]


del TrackingRecorderTestCase  # Abstract: pytest would collect it.
