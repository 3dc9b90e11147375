"""A schema changes with its version only: an older store is rebuilt, not misread."""

import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, make_dataclass
from enum import Enum
from types import GenericAlias, ModuleType

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact
from campaigns.domain.facts import ApiKeyCreated, ApiKeyRevoked, CreateKeyed
from campaigns.domain.values.rows import Row
from campaigns.domain.values.stream_names import Stream
from campaigns.domain.webhooks import Webhook
from campaigns.personal.list_keys import PLAIN
from campaigns.records.ledger import Ledger
from campaigns.sqlite import file
from campaigns.stores import checkpoint
from campaigns.stores.contacts import Contacts
from campaigns.stores.erasures import Erasures
from campaigns.stores.known_numbers import KnownNumbers
from command_api import creator, idempotency
from command_api.keys import keyring
from command_api.webhooks import webhook_book
from docs.generate import ROOT
from projector.projections.changes import Execution, Import
from projector.store import tables as views
from tests.support import schemas


def ledger() -> list[str]:
    """Return the rows of a ledger, as text."""
    found = Ledger({Stream("campaign/1"): 2})
    found._set(Stream("campaign/1"), 2)
    found._set(Stream("contact/1/70"), 3)
    return [f"{key} = {value.hex()}" for key, value in found.changes()]


def of_checkpoints() -> list[str]:
    """Describe the store that the command API and the dialer keep, with their own tables."""
    store = checkpoint.CheckpointStore(None, "memory")
    Contacts(store.db, PLAIN)
    Erasures(store.db)
    for module in (creator, idempotency, keyring, webhook_book):
        store.db.execute(module._TABLE)
    found = schemas.tables(store.db)
    store.close()
    kinds = (Campaign, Contact, Row, CreateKeyed, ApiKeyCreated, ApiKeyRevoked, Webhook)
    return [*found, *schemas.shapes(*kinds), *ledger()]


def of_views() -> list[str]:
    """Describe the projector's store, on both databases."""
    found = []
    for url in ("sqlite://", "postgresql+psycopg://"):
        dialect = make_url(url).get_dialect()()
        for table in views.METADATA.sorted_tables:
            indexes = sorted(table.indexes, key=lambda index: str(index.name))
            found.append(str(CreateTable(table).compile(dialect=dialect)))
            found += [str(CreateIndex(one).compile(dialect=dialect)) for one in indexes]
    kinds = (Campaign, Contact, Row, Execution, Import, ApiKeyCreated, ApiKeyRevoked, Webhook)
    return [*found, *schemas.shapes(*kinds), *ledger()]


def of_logs() -> list[str]:
    """Describe the file of the embedded log."""
    db = sqlite3.connect(":memory:")
    for statement in file._SCHEMA:
        db.execute(statement)
    found = schemas.tables(db)
    db.close()
    return found


STORES: dict[ModuleType, Callable[[], list[str]]] = {
    checkpoint: of_checkpoints,
    views: of_views,
    file: of_logs,
}
# Tables that are part of no store with a version: no cache of the log.
UNVERSIONED = {
    "services/dialer/dialer/carrier/simulated/home_book.py",
    "services/dialer/dialer/carrier/simulated/rings.py",
    "services/projector/projector/deliveries/delivery_store.py",
    "shared/campaigns/sqlite/key_file.py",
}


@pytest.mark.parametrize("module", STORES, ids=lambda module: module.__name__)
def test_a_schema_changes_with_its_version(module: ModuleType) -> None:
    lines, version = STORES[module](), module.SCHEMA_VERSION
    now, following = schemas.digest(version, lines), schemas.digest(version + 1, lines)
    assert now == module.SCHEMA_DIGEST, (
        f"what {module.__name__} stores has changed. So that older stores are not misread, set"
        f' SCHEMA_VERSION = {version + 1} and SCHEMA_DIGEST = "{following}", with a line in the'
        f' CHANGELOG. If {version} is already a version of this change: SCHEMA_DIGEST = "{now}"'
    )


def test_every_table_is_part_of_a_described_store() -> None:
    """A new table that no digest covers could change unnoticed."""
    creates = re.compile(
        r"""create table if not exists|= _?[tT]able\((?!"")"""
    )  # Rich has Table("").
    found = {
        str(path.relative_to(ROOT))
        for folder in ("shared", "services", "dialgate")
        for path in (ROOT / folder).rglob("*.py")
        if creates.search(path.read_text())
    }
    described = (
        checkpoint, Contacts, Erasures, KnownNumbers, creator, idempotency, keyring, webhook_book,
        views, file,
    )  # fmt: skip
    files = {_file(one) for one in described}
    assert found == files | UNVERSIONED


def _file(one: object) -> str:
    name = one.__module__ if isinstance(one, type) else getattr(one, "__name__", "")
    (path,) = [
        path
        for folder in (
            "shared",
            *(f"services/{name}" for name in ("command-api", "dialer", "projector")),
        )
        if (path := ROOT / folder / f"{name.replace('.', '/')}.py").is_file()
    ]
    return str(path.relative_to(ROOT))


class Colour(Enum):
    """A part of a shape."""

    RED = "red"


class OtherColour(Enum):
    """The same with one more value."""

    RED = "red"
    BLUE = "blue"


@dataclass
class Inner:
    """A part of a shape."""

    colour: Colour


@dataclass
class Outer:
    """A shape with another one in it."""

    number: int
    inner: dict[str, Inner | None]


def test_each_change_of_a_shape_is_seen() -> None:
    before = schemas.shapes(Outer)

    def changed(**fields: object) -> list[str]:
        made = {"number": int, "inner": dict[str, Inner | None]} | fields
        return schemas.shapes(
            make_dataclass("Outer", [(k, v) for k, v in made.items() if v], namespace=here)
        )

    here = {"__module__": __name__}
    inner = make_dataclass("Inner", [("colour", OtherColour)], namespace=here)
    assert changed() == before, "the same fields are the same shape"
    others: Sequence[list[str]] = (
        changed(number=str),
        changed(number=int | None),
        changed(number=None),
        changed(another=int),
        changed(inner=dict[str, Inner]),
        changed(inner=GenericAlias(dict, (str, inner))),
    )
    assert len({str(one) for one in [before, *others]}) == 1 + len(others)
