"""The views' tables. What is filtered or joined on is a column; the rest is JSON in a blob.

Free text stands in blobs alone (and, without NUL, in `searched`): PostgreSQL takes no NUL as text,
and no client's string may stop the fold. Nothing in here depends on how the log was batched, or on
the order of partitions, so that a rebuilt store is the same, row by row.
"""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table, Text

SCHEMA_VERSION = 9  # A store of another version is thrown away and built anew from the log.

METADATA = MetaData()


def _table(name: str, *columns: Column[int] | Column[str] | Column[bytes] | Index) -> Table:
    return Table(f"projector_{name}", METADATA, *columns, sqlite_with_rowid=False)


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _blob(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


ABOUT = _table("about", Column("name", String, primary_key=True), Column("value", Text))

TRACKING = _table(
    "tracking",
    Column("application_name", String, primary_key=True),  # "campaign.records/3".
    _number("notification_id"),  # Ordinal of the last accepted fact of the partition; 0: none yet.
    _number("position"),  # Of the last record that was ruled on, refused and foreign ones included.
    _blob("digest"),  # Chain of what was accepted up to there: campaigns.log.digest.
    _blob("digest_before"),
    _number("last_accepted"),
)

LEDGERS = _table(
    "ledgers",
    Column("application_name", String, primary_key=True),
    Column("key", String, primary_key=True),  # As Ledger.changes() yields it.
    _blob("value"),
)

CAMPAIGNS = _table(
    "campaigns",
    _key("campaign_id"),
    _number("partition"),
    _number("organization_id"),
    _number("deleted"),  # 1: there for nobody.
    Column("status", String, nullable=False),
    Column("campaign_type", String, nullable=False),
    _number("assistant_id"),
    Column("created_at", String, nullable=False),  # ISO 8601, UTC: sorts as text.
    Column("searched", Text, nullable=False),  # Name and description, case-folded.
    _blob("state"),  # campaigns.domain.campaign.dump
)
Index(
    "projector_campaigns_newest",
    CAMPAIGNS.c.organization_id,
    CAMPAIGNS.c.created_at,
    CAMPAIGNS.c.campaign_id,
)

LISTS = _table(
    "lists",
    _key("list_id"),  # See contacts.list_id: the same in every rebuild.
    _number("partition"),
    Column("import_id", String, nullable=False),
    _number("campaign_id", nullable=True),  # None: on its way in, does not count.
    _number("first_contact_id", nullable=True),
    _number("rows", nullable=True),
    Column("source", String),
    Column("counted_at", String),  # ISO 8601, UTC.
)
Index("projector_lists_of", LISTS.c.campaign_id, LISTS.c.first_contact_id)
Index("projector_lists_by_import", LISTS.c.partition, LISTS.c.import_id, unique=True)

ROWS = _table("rows", _key("list_id"), _key("row"), _blob("details"))  # Row 1 is the first.

CONTACTS = _table(
    "contacts",  # Those that were ever asked for.
    _key("campaign_id"),
    _key("contact_id"),
    _number("epoch"),  # The campaign's, when this was so.
    Column("status", String, nullable=False),  # As folded: what people see is derived.
    _number("tried"),  # 1: attempted in any run.
    _blob("state"),  # The Contact.
)
Index(
    "projector_contacts_standing",
    CONTACTS.c.campaign_id,
    CONTACTS.c.status,
    CONTACTS.c.contact_id,
    CONTACTS.c.tried,
    CONTACTS.c.epoch,
)

EXECUTIONS = _table(
    "executions",
    _key("campaign_id"),
    _key("execution_id"),  # Ordinal in the campaign.
    _number("contact_id"),
    Column("status", String, nullable=False),
    _blob("state"),  # The Execution.
)
Index(
    "projector_executions_standing",
    EXECUTIONS.c.campaign_id,
    EXECUTIONS.c.status,
    EXECUTIONS.c.execution_id,
)

HISTORY = _table(
    "history",  # How far a campaign was in each minute in which that changed.
    _key("campaign_id"),
    _key("minute"),  # Since 1970, by the facts' own times.
    _number("completed"),
    _number("failed"),
)

IMPORTS = _table("imports", _key("campaign_id"), _key("number"), _blob("state"))

API_KEYS = _table("api_keys", Column("key_hash", String, primary_key=True), _blob("fact"))
REVOKED_KEYS = _table("revoked_keys", Column("key_hash", String, primary_key=True), _blob("fact"))

OUTBOX = _table(
    "outbox",  # Accepted facts that campaign.events does not have yet, as far as is known.
    _key("partition"),
    _key("position"),
    _key("n"),
    _number("campaign_id"),
    _blob("event"),  # CloudEvents JSON.
)


def plain(text: str) -> str:
    """Return a text that every database takes."""
    return text.replace("\0", "\ufffd")
