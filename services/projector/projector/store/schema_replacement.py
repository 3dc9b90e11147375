"""The replacement of views in PostgreSQL: the same tables in a schema of their own (ADR-0032)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, make_url, text

from campaigns.process.errors import PartRunningError
from projector.store.engines import answered, engine_of
from projector.store.present_store import PresentStore
from projector.store.ready_mark import looks_ready
from projector.store.tables import METADATA
from projector.store.view_store import ViewStore

SCHEMA = "dialgate_replacement"
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


class SchemaReplacement:
    """Rebuilt views in the schema beside the one in service: a `Replacement`, described there."""

    def __init__(self, url: str) -> None:
        """Store the address of the views in service."""
        self._url = url
        made = make_url(url)
        options = f"{made.query.get('options', '')} -csearch_path={SCHEMA}".strip()
        self._beside = made.update_query_dict({"options": options}).render_as_string(
            hide_password=False
        )

    def opened(self) -> ViewStore:
        """Return the store; its first access creates what is missing."""
        self._run(f"create schema if not exists {SCHEMA}")
        return ViewStore(self._beside, None)

    def discard(self) -> None:
        """Delete it, if it is there."""
        self._run(f"drop schema if exists {SCHEMA} cascade")

    def present(self) -> PresentStore:
        """Return the store as it is, to look at."""
        return PresentStore(self._beside, None)

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        """Hold an advisory lock of the schema in service: it ends with its connection."""
        engine = engine_of(self._url)
        try:
            with answered(), engine.connect() as connection:
                held = connection.execute(text(_TRY_LOCK)).scalar()
                connection.commit()
                if not held:
                    raise PartRunningError(
                        "the views in this database are being rebuilt or exchanged by another"
                        f" process{_holder(connection)}: wait until it has ended, or end it"
                    )

                def check() -> None:
                    with answered():
                        connection.execute(text("select 1"))
                        connection.commit()

                yield check
        finally:
            engine.dispose()

    @property
    def ready(self) -> bool:
        """Say whether it is there, and may take the place of the views in service."""
        return looks_ready(self.present())

    def swap(self) -> None:
        """Let it take the place of the views in service, in one transaction."""
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

    def _run(self, *statements: str) -> None:
        """Run statements in one transaction."""
        engine = engine_of(self._url)
        try:
            with answered(), engine.begin() as tx:
                for statement in statements:
                    tx.execute(text(statement))
        finally:
            engine.dispose()


def _holder(connection: Connection) -> str:
    """Say who holds the lock, as far as the database tells."""
    found = connection.execute(text(_HOLDER)).first()
    return "" if found is None else f" (of {found[0] or 'its own machine'}, backend {found[1]})"
