"""The tables of the views. Queries filter and join on columns; all else is JSON in a blob.

Free text is stored only in blobs (and, without NUL, in `searched`): PostgreSQL accepts no NUL in
text, and no client's string may stop the fold. No row depends on how the log was batched, or on
the order of partitions, so a rebuilt store is the same, row by row.
"""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table, Text

SCHEMA_VERSION = 20  # A store of another version is rebuilt from the log.
SCHEMA_DIGEST = "d059ab71aee186f3"  # Of tables and states: tests/unit/test_schemas.py checks it.

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
    _number("position"),  # Of the last record with a ruling, refused and foreign ones included.
    _blob("digest"),  # Of the accepted records up to there: campaigns.log.digest.
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
    _number("deleted"),  # 1: no query shows it.
    Column("status", String, nullable=False),
    Column("campaign_type", String, nullable=False),
    _number("assistant_id"),
    Column("created_at", String, nullable=False),  # ISO 8601, UTC: sorts as text.
    Column("searched", Text, nullable=False),  # Name and description, case-folded.
    _blob("state"),  # campaigns.domain.campaign.dump
)
Index(
    "projector_campaigns_newest",  # Covers every filter but `search`: no state is read to skip it.
    CAMPAIGNS.c.organization_id,
    CAMPAIGNS.c.deleted,
    CAMPAIGNS.c.created_at,
    CAMPAIGNS.c.campaign_id,
    CAMPAIGNS.c.status,
    CAMPAIGNS.c.campaign_type,
    CAMPAIGNS.c.assistant_id,
)

LISTS = _table(
    "lists",
    _key("list_id"),  # From projections.lists.list_id: the same in every rebuild.
    _number("partition"),
    Column("import_id", String, nullable=False),
    _number("campaign_id", nullable=True),  # None: under way, its rows are no contacts yet.
    _number("first_contact_id", nullable=True),
    _number("rows", nullable=True),
    Column("source", String),
    Column("counted_at", String),  # ISO 8601, UTC.
)
Index("projector_lists_of", LISTS.c.campaign_id, LISTS.c.first_contact_id)
Index("projector_lists_by_import", LISTS.c.partition, LISTS.c.import_id, unique=True)

ROWS = _table("rows", _key("list_id"), _key("row"), _blob("details"))  # Row 1 is the first.

CONTACTS = _table(
    "contacts",  # Those that have had a permission, or that another fact names.
    _key("campaign_id"),
    _key("contact_id"),
    _number("epoch"),  # The campaign's epoch at the last change.
    # As folded: queries derive the status that they show.
    Column("status", String, nullable=False),
    _number("tried"),  # 1: attempted in any run.
    # Pending: Unix milliseconds from which it may be called, 0: at once; below 0 if its calls could
    # not be placed, and all others come first.
    _number("turn"),
    _number("met"),  # The stretch of its first fact: before, it was not there. It never changes.
    _blob("state"),  # The Contact.
)
CONTACTS.c.met.info["first"] = True  # As it was when the row was new: see Database.put_values.
Index(
    "projector_contacts_standing",
    CONTACTS.c.campaign_id,
    CONTACTS.c.status,
    CONTACTS.c.contact_id,
    CONTACTS.c.tried,
    CONTACTS.c.epoch,
    CONTACTS.c.turn,
)

CONTACT_TALLIES = _table(
    "contact_tallies",  # CONTACTS, grouped by blocks of their numbers and by how they stand.
    _key("campaign_id"),
    _key("bits"),  # The block's size: one of contact_tallies.BITS.
    _key("block"),  # From 0; rows with no contact are left out.
    _key("epoch"),
    Column("status", String, primary_key=True),
    _key("tried"),
    _number("many"),
)

EARLIER = _table(
    "earlier",  # Contacts before their first change in a stretch (projections.contacts).
    _key("campaign_id"),
    _key("stretch"),
    _key("contact_id"),
    _blob("state"),  # As in CONTACTS.
)
EARLIER.c.state.info["first"] = True  # A row that is there stays: see Database.put_values.

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

TALLIES = _table(
    "tallies",  # How many executions of a campaign have ended so, through the end of a full block.
    _key("campaign_id"),
    Column("status", String, primary_key=True),
    _key("block"),  # Of tallies.BLOCK executions, from 0; in which at least one has this status.
    _number("through"),  # In it and all before it.
)
Index("projector_tallies_ranks", TALLIES.c.campaign_id, TALLIES.c.status, TALLIES.c.through)

HISTORY = _table(
    "history",  # The counters of a campaign, for each minute in which they changed.
    _key("campaign_id"),
    _key("minute"),  # Since 1970, by the facts' own times.
    _number("completed"),
    _number("failed"),
)

IMPORTS = _table("imports", _key("campaign_id"), _key("number"), _blob("state"))

RECORDS = _table(
    "records",  # Where each campaign's own accepted records are in its partition, in blocks.
    _key("campaign_id"),
    _key("block"),  # Ordinal: each but the last has projections.records.BLOCK positions.
    _number("last"),  # The position of its last record.
    _number("latest"),  # The greatest time of a record up to there; microseconds since 1970.
    _blob("positions"),  # 64-bit numbers of this machine's byte order, ascending.
)

ORGANIZATION_RECORDS = _table(
    "organization_records",  # Where the own records of each organization's campaigns are.
    _key("organization_id"),
    _key("partition"),
    _key("first"),  # The position of the block's first record.
    _blob("positions"),  # As in RECORDS; each block but the last has projections.records.BLOCK.
)

SNAPSHOTS = _table(
    "snapshots",  # States of long campaigns, after some of their own records.
    _key("campaign_id"),
    _key("position"),  # Of the last record that the state includes.
    _blob("state"),  # campaigns.domain.campaign.dump
)

API_KEYS = _table("api_keys", Column("key_hash", String, primary_key=True), _blob("fact"))
REVOKED_KEYS = _table("revoked_keys", Column("key_hash", String, primary_key=True), _blob("fact"))

WEBHOOKS = _table(
    "webhooks",  # Those that have not ended. How far delivery has come is not in here: ADR-0038.
    Column("webhook_id", String, primary_key=True),
    _blob("state"),  # campaigns.domain.webhooks.Webhook
)

OUTBOX = _table(
    "outbox",  # Accepted facts that are not yet known to be in campaign.events.
    _key("partition"),
    _key("position"),
    _key("n"),
    _number("campaign_id"),
    _blob("event"),  # CloudEvents JSON.
)


def plain(text: str) -> str:
    """Return the text without NUL, which PostgreSQL does not accept."""
    return text.replace("\0", "\ufffd")
