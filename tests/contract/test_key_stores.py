"""Every place of lists' keys passes one contract: memory, a file."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from campaigns.personal.key_store import KeyStore, MemoryKeys
from campaigns.sqlite.key_file import KeyFile
from campaigns.testing.key_store_contract import KeyStoreContract


class TestMemoryKeys(KeyStoreContract):
    @asynccontextmanager
    async def _opened(self, store: KeyStore) -> AsyncIterator[KeyStore]:
        yield store

    def open_keys(self) -> AbstractAsyncContextManager[KeyStore]:
        return self._opened(MemoryKeys())

    def reopen_keys(self, store: KeyStore) -> AbstractAsyncContextManager[KeyStore]:
        return self._opened(store)


class TestKeyFile(KeyStoreContract):
    @pytest.fixture(autouse=True)
    def _at(self, tmp_path: Path) -> None:
        self.path = tmp_path / "keys.db"

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[KeyStore]:
        store = KeyFile(self.path)
        yield store
        store.close()

    def open_keys(self) -> AbstractAsyncContextManager[KeyStore]:
        return self._opened()

    def reopen_keys(self, store: KeyStore) -> AbstractAsyncContextManager[KeyStore]:
        return self._opened()
