"""Views that are made beside those in service, until they take their place (ADR-0032).

Beside `projector.db` it is `replacement/projector.db`; in PostgreSQL the same tables in a schema of
their own. Until it is exchanged, the store in service is as it was.
"""

import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import make_url

from campaigns.process.data_dir import lock, unlock
from campaigns.process.errors import StoreUnavailableError
from campaigns.stores.checkpoint import remove
from projector.store.database import VIEWS_FILE
from projector.store.present_store import PresentStore
from projector.store.ready_mark import looks_ready
from projector.store.schema_replacement import SchemaReplacement
from projector.store.view_store import ViewStore

logger = logging.getLogger(__name__)

FOLDER = "replacement"  # In the data directory.


class Replacement(Protocol):
    """Where the views beside those in service are."""

    def opened(self) -> ViewStore:
        """Return the store; its first access creates what is missing."""
        ...

    def present(self) -> PresentStore:
        """Return the store as it is, to look at."""
        ...

    def held(self) -> AbstractContextManager[Callable[[], None]]:
        """Be the only process that makes, deletes or exchanges it.

        Yields what raises StoreUnavailableError if that is no longer sure.

        Raises:
            PartRunningError: another process does; nothing has changed.

        """
        ...

    def discard(self) -> None:
        """Delete it, if it is there."""
        ...

    @property
    def ready(self) -> bool:
        """Say whether it is there, and may take the place of the views in service."""
        ...

    def swap(self) -> None:
        """Let it take the place of the views in service, in one step; nobody may be using either.

        A crash leaves the old ones in service, with the replacement still ready, or the new ones.

        Raises:
            StoreUnavailableError: another process has one of them open; nothing was exchanged.

        """
        ...


def replacement_of(url: str | None, data_dir: Path | None) -> Replacement | None:
    """Return the replacement's place for a projector's settings; None: such views have none."""
    if url is None:
        return _FileReplacement(data_dir) if data_dir is not None else None
    return SchemaReplacement(url) if make_url(url).get_backend_name() == "postgresql" else None


class _FileReplacement:
    def __init__(self, data_dir: Path) -> None:
        self._data_dir, self._folder = data_dir, data_dir / FOLDER

    def opened(self) -> ViewStore:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return ViewStore(None, self._folder)

    def discard(self) -> None:
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def present(self) -> PresentStore:
        return PresentStore(None, self._folder)

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        lock(self._data_dir, "rebuild")
        try:
            yield lambda: None
        finally:
            unlock(self._data_dir, "rebuild")

    @property
    def ready(self) -> bool:
        return looks_ready(self.present())

    def swap(self) -> None:
        old, new = self._data_dir / VIEWS_FILE, self._folder / VIEWS_FILE
        # SQLite would apply a write-ahead log that is left to whatever file has the name then.
        for path in (new, old):
            if path.exists():
                _settle(path)
        new.replace(old)
        self.discard()


def _settle(path: Path) -> None:
    """Bring a file's write-ahead log into it, and delete that."""
    try:
        with closing(sqlite3.connect(path)) as db:
            (mode,) = db.execute("pragma journal_mode = delete").fetchone()
    except sqlite3.OperationalError as exc:
        raise StoreUnavailableError(f"{path}: {exc}") from exc
    except sqlite3.DatabaseError as exc:
        logger.warning("%s is damaged (%s): it is replaced", path, exc)
        remove(path)
        return
    if mode != "delete":
        raise StoreUnavailableError(f"{path}: another process has it open")
