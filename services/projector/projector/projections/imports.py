"""Projection: the numbered imports of a campaign. Pure."""

from msgspec.structs import asdict

from campaigns.domain.facts import ImportCompleted, ImportFailed, ImportStarted
from projector.projections.changes import Changes, Import, Place


def place_of(fact: object) -> Place | None:
    """Return the numbered import of a fact, or None. Contacts added as JSON have no number."""
    if isinstance(fact, ImportStarted | ImportFailed | ImportCompleted) and fact.number is not None:
        return fact.campaign_id, fact.number
    return None


def project(changes: Changes, fact: ImportStarted | ImportCompleted | ImportFailed) -> None:
    """Project one fact. A short list completes without an ImportStarted."""
    if (place := place_of(fact)) is None:
        return
    found = changes.imports.get(place)
    match fact:
        case ImportStarted():
            changes.imports[place] = Import(
                place[1], "processing", fact.file_name, fact.rows, fact.started_at
            )
        case ImportCompleted():
            changes.imports[place] = Import(
                place[1],
                "completed",
                fact.file_name,
                fact.rows + fact.skipped + fact.failed,
                found.created_at if found else fact.completed_at,
                imported=fact.rows,
                skipped=fact.skipped,
                failed=fact.failed,
                errors=[asdict(error) for error in fact.errors],
                completed_at=fact.completed_at,
            )
        case ImportFailed():
            made = found or Import(place[1], "failed", None, 0, fact.failed_at)
            made.status, made.error, made.completed_at = "failed", fact.reason, fact.failed_at
            changes.imports[place] = made
