"""Fill a projector's store with as many contacts of campaign 1 as are asked for, by SQL."""

from sqlalchemy import update

from campaigns.domain.campaign import Campaign, Counters, dump
from projector.queries.campaign_pages import campaign_of
from projector.store.tables import CAMPAIGNS
from projector.store.tallies import contact_tallies
from projector.store.view_store import ViewStore

# By a contact's number: of 24, 16 were reached, and one each of the first eight stands otherwise.
_OTHERS = ("failed", "no_answer", "busy", "voicemail", "skipped", "pending", "failed", "busy")
_STATUS = "case when i > {many} - 2 then 'in_progress' when i % 3 then 'completed' {others} end"
_STATE = (
    "cast(replace(replace(cast(state as text), '\"contact_id\":1,', '\"contact_id\":'||i||','),"
    ' \'"status":"busy"\', \'"status":"\'||s||\'"\') as blob)'
)


def multiply_contacts(store: ViewStore, touched: int, untouched: int) -> Campaign:
    """Copy the contact of `journal_of_one`, with the tallies that belong to it; SQLite only.

    Returns campaign 1, which has `touched` ones, and after them untouched ones.
    """
    others = " ".join(f"when i / 3 % 8 = {n} then '{one}'" for n, one in enumerate(_OTHERS))
    status, many = _STATUS.format(many=touched, others=others), touched + untouched
    numbers = "with recursive n(i) as (select 2 union all select i + 1 from n where i < {0})"
    with store.writing() as tx:
        tx.exec_driver_sql(
            f"{numbers.format(touched)}, c(i, s) as (select i, {status} from n)"
            " insert into projector_contacts (campaign_id, contact_id, epoch, status, tried, turn,"
            f" met, state) select 1, i, epoch, s, tried, 0, met, {_STATE}"
            " from projector_contacts, c where contact_id = 1"
        )
        tx.exec_driver_sql(
            f"{numbers.format(many)} insert into projector_rows select list_id, i, details"
            " from projector_rows, n where row = 1"
        )
        tx.exec_driver_sql("update projector_lists set rows = ? where campaign_id = 1", (many,))
        tx.exec_driver_sql("delete from projector_contact_tallies")
        contact_tallies.fill(tx)
        counts = dict[str, int](
            tx.exec_driver_sql("select status, count(*) from projector_contacts group by 1").all()
        )
        found = campaign_of(tx, 1)
        assert found is not None
        found.contacts_end = many
        found.counters = _counters(counts, untouched)
        values = {"state": dump(found)}
        tx.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.campaign_id == 1).values(values))
    return found


def _counters(counts: dict[str, int], untouched: int) -> Counters:
    failed = sum(counts[one] for one in ("failed", "no_answer", "busy", "voicemail"))
    pending, completed = counts["pending"] + untouched, counts["completed"]
    return Counters(
        total=pending + counts["in_progress"] + completed + failed,
        pending=pending,
        in_progress=counts["in_progress"],
        completed=completed,
        failed=failed,
        skipped=counts["skipped"],
        untouched=untouched,
    )
