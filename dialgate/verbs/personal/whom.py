"""Who is to be forgotten, as an operator says it, and as the log knows them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from campaigns.audit.masks import masked_number
from campaigns.audit.rulings import PartitionRuling, partitions_of
from campaigns.log.port import ReadableLog
from campaigns.personal.erasure import ErasableList, at_once
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys
from campaigns.records.installation import Installation
from campaigns.records.topics import CAMPAIGN_RECORDS
from dialgate.verbs.personal.erasable import ErasablePartition, KnownContact
from dialgate.verbs.progress import progress
from dialgate.verbs.verb import MisusedError

Partitions = Mapping[int, ErasablePartition]  # By number.

PLAIN = (
    "was written plain, before contacts were encrypted: it has no key that could be deleted;"
    " `dialgate export` and `dialgate import --encrypt` write it anew with one (docs/forgetting.md)"
)
_CONTACT = re.compile(r"([1-9]\d{0,15})/([1-9]\d{0,15})", re.ASCII)


class Whom(NamedTuple):
    """Who is to be forgotten: exactly one of these."""

    contact: tuple[int, int] | None = None  # Campaign and contact.
    number: str | None = None  # E.164.
    campaign_id: int | None = None
    organization_id: int | None = None  # Only of this one. With a number.
    until: int | None = (
        None  # With a campaign: its last contact that is meant. None: all there are.
    )

    def __str__(self) -> str:
        if self.contact:
            return f"contact {self.contact[0]}/{self.contact[1]}"
        if self.number:
            return f"number {masked_number(self.number)}"
        return f"campaign {self.campaign_id}"


class FoundCampaign(NamedTuple):
    """A campaign whose contacts are to be forgotten, list by list."""

    campaign_id: int
    lists: Sequence[ErasableList]  # All that are left, in order.
    people: int  # In all of them, without those who were forgotten by themselves.
    people_at_once: int  # In those that one fact names.

    @property
    def through(self) -> int:
        """Return the last contact that is to be forgotten."""
        return self.lists[-1].through


class Found(NamedTuple):
    """What is to be recorded."""

    contacts: Sequence[KnownContact] = ()
    campaign: FoundCampaign | None = None

    @property
    def people(self) -> int:
        """Return how many contacts it makes unreadable."""
        return self.campaign.people if self.campaign else len(self.contacts)


def whom_of(
    contact: str | None, number: str | None, campaign: int | None, organization: int | None
) -> Whom:
    """Return who is meant. Raises: MisusedError: nobody, or more than one."""
    given = [one for one in (contact, number, campaign) if one is not None]
    if len(given) != 1:
        raise MisusedError(
            "expected --contact N/7, --number +14155550123 or --campaign N, and one of them,"
            f" found {len(given)}"
        )
    if organization is not None and number is None:
        raise MisusedError("--organization: expected it with --number")
    if contact is not None:
        if not (found := _CONTACT.fullmatch(contact)):
            raise MisusedError(f"--contact: expected CAMPAIGN/CONTACT, such as 42/7: {contact}")
        return Whom(contact=(int(found[1]), int(found[2])))
    if number is not None:
        from command_api.imports.phone import Unusable, normalise_phone
        from command_api.settings import CommandApiSettings

        e164 = normalise_phone(number, CommandApiSettings().phone_country)
        if isinstance(e164, Unusable):
            raise MisusedError(f"--number: {e164.reason}")
        return Whom(number=e164, organization_id=organization)
    return Whom(campaign_id=campaign)


async def folded(
    log: ReadableLog, installation: Installation, whom: Whom, keys: ListKeys
) -> Partitions:
    """Read what is in the log now: of one campaign its partition, for a number all of them."""
    campaign_id = whom.contact[0] if whom.contact else whom.campaign_id
    wanted = [one for one in partitions_of(log, campaign_id) if one.topic == CAMPAIGN_RECORDS]
    ends, made = await log.ends(wanted), dict[int, ErasablePartition]()
    with progress("records read", sum(ends.values())) as advance:
        for partition in wanted:
            ruling = PartitionRuling(installation.skipped.get(partition, {}), keeps_digest=False)
            one = made[partition.number] = ErasablePartition(partition, ruling, whom.number, keys)
            await one.read(log, ends[partition], advance)
    return made


def unsearched(partitions: Partitions, whom: Whom) -> str | None:
    """Return that not all lists could be searched for a number, how many, and why; None: all."""
    found = (one.unread(whom.organization_id) for one in partitions.values())
    whys = [why for some in found for why in some]
    if not whys:
        return None
    many = "1 list" if len(whys) == 1 else f"{len(whys):,} lists"
    return f"{many} could not be searched, whether the number is there cannot be told: {whys[0]}"


def still_known(partitions: Partitions, whom: Whom) -> Found:
    """Return who is to be forgotten still. Raises: MisusedError: nobody is so, or can be."""
    if whom.number is not None:
        contacts = [
            contact
            for one in partitions.values()
            for contact in one.with_number(whom.organization_id)
        ]
        _refuse_plain(contacts)
        return Found(contacts)
    (one,) = partitions.values()
    campaign_id = whom.contact[0] if whom.contact else whom.campaign_id
    assert campaign_id is not None, "one of them is given"
    campaign = one.campaigns.get(campaign_id)
    if campaign is None:
        raise MisusedError(f"expected a campaign of this log, found no campaign {campaign_id}")
    if whom.contact is not None:
        if whom.contact[1] > campaign.contacts_end:
            raise MisusedError(
                f"expected a contact of campaign {campaign_id}, 1 to {campaign.contacts_end},"
                f" found {whom.contact[1]}"
            )
        contact = one.contact(*whom.contact)
        if one.is_erased(contact):
            return Found()
        _refuse_plain([contact])
        return Found([contact])
    until = campaign.contacts_end if whom.until is None else whom.until
    lists = list[ErasableList]()
    for through, key_id in one.lists(campaign_id, until):
        if key_id is None:
            raise MisusedError(f"a list of campaign {campaign_id} {PLAIN}")
        lists.append(ErasableList(through, key_id))
    if not lists:
        return Found()
    people, some = [one.people(campaign_id, of[-1].through) for of in (lists, at_once(lists))]
    return Found(campaign=FoundCampaign(campaign_id, lists, people, some))


def _refuse_plain(contacts: Iterable[KnownContact]) -> None:
    for contact in contacts:
        if contact.place is None:
            raise MisusedError(f"contact {contact} {PLAIN}")


def refuse_unreadable(found: Found, keys: ListKeys) -> None:
    """Refuse what could be recorded and not carried out. Raises: MisusedError."""
    lists = found.campaign.lists if found.campaign else ()
    whole = [one.key_id for one in lists]  # To delete a key, it need not be opened.
    rows = {one.place.key_id for one in found.contacts if one.place}
    for key_id in (*whole, *rows):
        try:
            keys.tree(key_id) if key_id in rows else keys.store.find(key_id)
        except KeyUnavailableError as exc:
            raise MisusedError(f"nothing was recorded: {exc}") from exc
