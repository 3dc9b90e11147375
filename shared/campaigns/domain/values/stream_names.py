"""The names of streams. Pure."""

from typing import NewType

Stream = NewType("Stream", str)  # "campaign/42", or one contact of it: "contact/42/7".


def campaign_stream(campaign_id: int) -> Stream:
    """Return the stream that orders lifecycle, settings, and who may be called."""
    return Stream(f"campaign/{campaign_id}")


def contacts_stream(campaign_id: int) -> Stream:
    """Return the stream that orders which lists of contacts count."""
    return Stream(f"contacts/{campaign_id}")


def contact_stream(campaign_id: int, contact_id: int) -> Stream:
    """Return the stream that orders the attempts to reach one contact."""
    return Stream(f"contact/{campaign_id}/{contact_id}")


def import_stream(import_id: str) -> Stream:
    """Return the stream of one list's chunks; `import_id` is the id of its first record."""
    return Stream(f"import/{import_id}")


def create_stream(organization_id: int, digest: str) -> Stream:
    """Return the stream of one create's Idempotency-Key; `digest` is hexadecimal."""
    return Stream(f"create/{organization_id}/{digest}")


def organization_stream(organization_id: int) -> Stream:
    """Return the stream of one organization's keys (topic organization.records)."""
    return Stream(f"organization/{organization_id}")


def installation_stream() -> Stream:
    """Return the one stream of a whole installation (topic installation.records)."""
    return Stream("installation/decisions")
