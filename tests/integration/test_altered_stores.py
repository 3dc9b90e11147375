"""A store of another build, or with other tables than it says, is rebuilt: it is never misread.

The embedded log is the only copy of its records: it is refused with a sentence instead.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from campaigns.domain.campaigns import Campaigns
from campaigns.log.reader import Reader
from campaigns.personal.list_keys import PLAIN
from campaigns.process.errors import TopicMisfitError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition
from campaigns.sqlite import file
from campaigns.stores.checkpoint import CheckpointStore
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from projector.advance import Views
from projector.store.tables import METADATA
from projector.store.view_store import ViewStore
from tests.support.journal import Journal, every_partition
from tests.support.postgres import postgres_url

CHECKPOINT = ("about", "positions", "ledgers", "campaigns", "lists", "rows", "contacts")
Alter = Callable[[sqlite3.Connection], Any]


@pytest.fixture
def journal() -> Journal:
    journal = Journal()
    journal.create(contacts=3)
    journal.start()
    journal.call(1)
    return journal


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_url(tmp_path_factory.mktemp("postgres")) as url:
        yield url


class Folding:
    """Folds campaigns and contacts as the services do, and stores them as they do."""

    def __init__(self, journal: Journal, path: Path) -> None:
        self.store = CheckpointStore(path, journal.log.id)
        self.contacts, self.campaigns = Contacts(self.store.db, PLAIN), Campaigns()
        self.reader = Reader(journal.log, self)
        self.store.restore(self.reader, self.campaigns)
        self.restored = dict(self.reader.positions)
        for partition in every_partition(journal):
            self.reader.step(partition, journal.log._records[partition])
        self.store.save(self.reader, self.campaigns, 1)
        tables = [f"select '{name}', * from {name}" for name in CHECKPOINT]
        self.rows = [row for each in tables for row in self.store.db.execute(each)]
        self.store.close()

    def fold(self, recorded: Recorded) -> None:
        fold_contacts(self.campaigns, self.contacts, recorded)

    def folded(self, partition: Partition, position: int) -> None:
        self.contacts.flush()


def view(journal: Journal, path: Path, url: str | None = None) -> tuple[bool, object]:
    """Fold views as the projector does; return whether they were restored, and their rows."""
    store = ViewStore(url, path.parent)
    store.belongs_to(journal.log.id, publishes=True)
    views = Views(store, journal.log, True, lambda key: None)
    every = every_partition(journal)
    views.restore(every)
    restored = bool(views.reader.positions)
    for partition in every:
        views.reader.step(partition, journal.log._records[partition])
    rows = store.dump(METADATA.sorted_tables)
    store.close()
    return restored, rows


def fold(journal: Journal, path: Path) -> tuple[bool, object]:
    """Fold a checkpoint; return whether it was restored, and its rows."""
    folding = Folding(journal, path)
    return bool(folding.restored), folding.rows


def altered(path: Path, alter: Alter) -> None:
    with closing(sqlite3.connect(path)) as db:
        alter(db)
        db.commit()


def without(table: str) -> Alter:
    return lambda db: db.execute(f"drop table {table}")


def without_a_column(table: str) -> Alter:
    """Make the table again without its last column, as an older build had it."""

    def alter(db: sqlite3.Connection) -> None:
        columns = [name for _, name, *_ in db.execute(f"pragma table_info({table})")][:-1]
        chosen = ", ".join(columns)
        db.execute(f"create table older as select {chosen} from {table}")
        db.execute(f"drop table {table}")
        db.execute(f"alter table older rename to {table}")

    return alter


def emptied(db: sqlite3.Connection) -> None:
    for table in ("about", "projector_about"):
        if db.execute("select 1 from sqlite_master where name = ?", (table,)).fetchone():
            db.execute(f"delete from {table}")


def saying(name: str, value: str | None, table: str = "about") -> Alter:
    """Make the store say something else about itself; None: nothing."""
    if value is None:
        return lambda db: db.execute(f"delete from {table} where name = ?", (name,))
    return lambda db: db.execute(f"update {table} set value = ? where name = ?", (value, name))


def of_a_checkpoint() -> Iterator[tuple[str, Alter]]:
    for table in CHECKPOINT:
        yield f"no {table}", without(table)
        yield f"a column of {table} less", without_a_column(table)
    for name in ("schema", "digest", "tables"):
        yield f"another {name}", saying(name, "7")
        yield f"no {name}", saying(name, None)
    yield "says nothing", emptied
    yield "no index", lambda db: db.execute("drop index contacts_due")
    yield "a column more", lambda db: db.execute("alter table rows add column extra")


def of_views() -> Iterator[tuple[str, Alter]]:
    for table in METADATA.tables:
        yield f"no {table}", without(table)
        yield f"a column of {table} less", without_a_column(table)
    for name in ("schema", "digest"):
        yield f"another {name}", saying(name, "7", "projector_about")
        yield f"no {name}", saying(name, None, "projector_about")
    yield "a column more", lambda db: db.execute("alter table projector_rows add column extra")


def cases() -> Iterator[Any]:
    for name, alter in of_a_checkpoint():
        yield pytest.param(fold, "store.db", alter, id=f"checkpoint: {name}")
    for name, alter in of_views():
        yield pytest.param(view, "projector.db", alter, id=f"views: {name}")


@pytest.mark.parametrize(("opened", "name", "alter"), list(cases()))
def test_a_store_that_does_not_fit_is_rebuilt(
    journal: Journal,
    tmp_path: Path,
    opened: Callable[[Journal, Path], tuple[bool, object]],
    name: str,
    alter: Alter,
) -> None:
    path = tmp_path / name
    restored, rows = opened(journal, path)
    assert not restored, "it was new"
    assert opened(journal, path) == (True, rows), "what fits is restored"
    altered(path, alter)
    assert opened(journal, path) == (False, rows), "what does not is rebuilt, and the same"
    assert opened(journal, path) == (True, rows), "once"


@pytest.mark.parametrize(
    "alter",
    [
        "drop table projector_contacts",
        "alter table projector_tracking drop column position",
        "alter table projector_about drop column value",
        "alter table projector_rows add column extra text",
        "delete from projector_about where name = 'schema'",
        "update projector_about set value = 'another' where name = 'digest'",
    ],
)
def test_views_on_postgres_that_do_not_fit_are_rebuilt(
    journal: Journal, tmp_path: Path, postgres: str, alter: str
) -> None:
    restored, rows = view(journal, tmp_path, postgres)
    assert not restored, "they were new"
    assert view(journal, tmp_path, postgres) == (True, rows), "what fits is restored"
    engine = create_engine(postgres.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as tx:
        tx.exec_driver_sql(alter)
    engine.dispose()
    assert view(journal, tmp_path, postgres) == (False, rows), "what does not is rebuilt"
    assert view(journal, tmp_path, postgres) == (True, rows), "once"
    store = ViewStore(postgres, None)
    METADATA.drop_all(store.engine)
    store.close()


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (without("records"), "expected a table `records`"),
        (without_a_column("records"), "expected a table `records`"),
        (without("about"), "found another database"),
        (without_a_column("about"), "found another database"),
        (saying("schema", "7"), "expected schema version 1, found 7"),
        (saying("schema", None), "expected schema version 1, found None"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_an_embedded_log_that_does_not_fit_is_refused_and_unchanged(
    tmp_path: Path, alter: Alter, said: str, *, read_only: bool
) -> None:
    path = tmp_path / "log.db"
    about = file.prepare(path, 1, read_only=False)
    assert file.prepare(path, None, read_only=read_only) == about, "what fits is opened"
    altered(path, alter)
    with closing(sqlite3.connect(path)) as db:
        before = list(db.iterdump())
    with pytest.raises(TopicMisfitError, match=said):
        file.prepare(path, 1, read_only=read_only)
    with closing(sqlite3.connect(path)) as db:
        assert list(db.iterdump()) == before
