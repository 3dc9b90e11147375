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

from sqlalchemy import Connection, Engine, create_engine, make_url, select, text
from sqlalchemy import exc as errors

from campaigns.process.data_dir import lock, unlock
from campaigns.process.errors import PartRunningError, StoreUnavailableError
from campaigns.stores.checkpoint import remove
from projector.store.database import VIEWS_FILE
from projector.store.present_store import PresentStore
from projector.store.tables import ABOUT, METADATA
from projector.store.view_store import ViewStore

logger = logging.getLogger(__name__)

LOCK_WAIT_MS = 2_000  # For the tables in service, which others may be reading.
# The two numbers of an advisory lock: ours, and the schema in service.
_LOCK = "hashtext('dialgate rebuild'), hashtext(current_schema())"
_TRY_LOCK = f"select pg_try_advisory_lock({_LOCK})"
_HOLDER = """
    select host(client_addr), pid from pg_locks join pg_stat_activity using (pid)
    where locktype = 'advisory' and granted and objsubid = 2
    and (classid::bigint, objid::bigint) = (
        select hashtext('dialgate rebuild')::bigint & 4294967295,
               hashtext(current_schema())::bigint & 4294967295)
"""

FOLDER = "replacement"  # In the data directory.
SCHEMA = "dialgate_replacement"  # In PostgreSQL.
_READY = {"name": "ready", "value": "yes"}  # A row of ABOUT.


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


def mark_ready(store: ViewStore) -> None:
    """Let the projector take a replacement into service."""
    with store.writing() as tx:
        store.put(tx, ABOUT, [_READY])


def is_ready(store: PresentStore | ViewStore) -> bool:
    """Say whether a store is so marked."""
    with store.reading() as tx:
        asked = select(ABOUT.c.value).where(ABOUT.c.name == _READY["name"])
        return tx.execute(asked).scalar() == _READY["value"]


def replacement_of(url: str | None, data_dir: Path | None) -> Replacement | None:
    """Return the replacement's place for a projector's settings; None: such views have none."""
    if url is None:
        return _FileReplacement(data_dir) if data_dir is not None else None
    return _SchemaReplacement(url) if make_url(url).get_backend_name() == "postgresql" else None


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
        return _looks_ready(self.present())

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


class _SchemaReplacement:
    def __init__(self, url: str) -> None:
        self._url = url
        made = make_url(url)
        options = f"{made.query.get('options', '')} -csearch_path={SCHEMA}".strip()
        self._beside = made.update_query_dict({"options": options}).render_as_string(
            hide_password=False
        )

    def opened(self) -> ViewStore:
        self._run(f"create schema if not exists {SCHEMA}")
        return ViewStore(self._beside, None)

    def discard(self) -> None:
        self._run(f"drop schema if exists {SCHEMA} cascade")

    def present(self) -> PresentStore:
        return PresentStore(self._beside, None)

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        """Hold an advisory lock of the schema in service: it ends with its connection."""
        engine = self._engine()
        try:
            with asked(), engine.connect() as connection:
                held = connection.execute(text(_TRY_LOCK)).scalar()
                connection.commit()
                if not held:
                    raise PartRunningError(
                        "the views in this database are being rebuilt or exchanged by another"
                        f" process{_holder(connection)}: wait until it has ended, or end it"
                    )

                def check() -> None:
                    with asked():
                        connection.execute(text("select 1"))
                        connection.commit()

                yield check
        finally:
            engine.dispose()

    @property
    def ready(self) -> bool:
        return _looks_ready(self.present())

    def swap(self) -> None:
        statements = [
            # Another process that reads them keeps them: then the next try does it.
            f"set local lock_timeout = '{LOCK_WAIT_MS}ms'",
            *self._moves(),
            f"drop schema {SCHEMA} cascade",
        ]
        self._run(*statements)

    def _moves(self) -> list[str]:
        return [
            statement
            for name in METADATA.tables
            for statement in (
                f"drop table if exists {name}",
                f"do $$ begin execute format('alter table {SCHEMA}.{name} set schema %I',"
                " current_schema()); end $$",
            )
        ]

    def _engine(self) -> Engine:
        return create_engine(self._url.replace("postgresql://", "postgresql+psycopg://", 1))

    def _run(self, *statements: str) -> None:
        """Run statements in one transaction."""
        engine = self._engine()
        try:
            with asked(), engine.begin() as tx:
                for statement in statements:
                    tx.execute(text(statement))
        finally:
            engine.dispose()


def _holder(connection: Connection) -> str:
    """Say who holds the lock, as far as the database tells."""
    found = connection.execute(text(_HOLDER)).first()
    return "" if found is None else f" (of {found[0] or 'its own machine'}, backend {found[1]})"


@contextmanager
def asked() -> Iterator[None]:
    """Raise what PostgreSQL cannot do now as a StoreUnavailableError."""
    try:
        yield
    except errors.OperationalError as exc:
        why = str(exc.orig).partition("\n")[0]
        raise StoreUnavailableError(f"the views' database cannot be used: {why}") from exc


def _looks_ready(store: PresentStore) -> bool:
    try:
        return store.exists and is_ready(store)
    finally:
        store.disconnect()
