"""Add contacts to a campaign, from CSV files and JSON: parse, import, answer."""

import asyncio
import hashlib
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, BinaryIO

from fastapi import APIRouter, Depends, Form, Header, HTTPException, Response, UploadFile
from msgspec.structs import asdict
from pydantic import BaseModel, ConfigDict

from campaigns.domain.api_keys import Caller
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.values.instants import instant
from campaigns.http.door import POSITION, CampaignId, caller_of, json_response, refusal
from campaigns.http.responses import ERRORS, ok
from campaigns.process.metrics import COMMANDS, SHARES_SPENT
from campaigns.records.record import Idempotency
from command_api.http.bodies import Contacts, key_unusable
from command_api.http.json_route import JsonRoute
from command_api.http.options import PREFIX, InEarnest, idempotency_of, origin_of
from command_api.http.replies import count, counted, refused
from command_api.idempotency import request_digest
from command_api.imports.add_contacts import add_contacts
from command_api.imports.chunks import Imported
from command_api.imports.csv_columns import TooManyRowsError, UnusableFileError, parse_mappings
from command_api.imports.csv_list import CsvImport
from command_api.imports.rows import parse_contacts
from command_api.slices import in_slices

if TYPE_CHECKING:
    from command_api.service import CommandApi

FILE_NAME_CHARS_MAX = 255
TOO_MANY_IMPORTS = "Too many imports of this organization are under way"
IMPORTS_RETRY_S = 5  # Whole seconds.
IMPORTED = ERRORS | ok("ImportedAnswer", status=202, description="All of it counts, or none")


class ContactsBody(BaseModel):
    """The body of POST …/contacts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"contacts": [{"phone_number": "+15551234567", "name": "Ann"}]}]
        }
    )

    contacts: Contacts


# Parts of an upload; a form has two. More than 100 are 400: a thousand held the loop for 18 ms.
FORM_PARTS_MAX = 100


def router(service: "CommandApi") -> APIRouter:
    """Return both routes, bound to one instance."""
    routes = APIRouter(prefix=PREFIX, tags=["contacts"], route_class=JsonRoute)
    who = Annotated[Caller, Depends(caller_of(service.keys, service.limits))]
    key = Annotated[Idempotency | None, Depends(idempotency_of(service))]

    @routes.post(
        "/{campaign_id}/import-data",
        status_code=202,
        responses=IMPORTED,
        form_limits={"max_files": FORM_PARTS_MAX, "max_fields": FORM_PARTS_MAX},
    )
    async def import_data(
        campaign_id: CampaignId,
        caller: who,
        file: UploadFile,
        in_earnest: InEarnest,
        column_mappings: Annotated[str, Form()] = "{}",
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Import a CSV file: all rows or none. A short one is done when the answer comes.

        It replaces the contacts that are pending and were never attempted.
        """
        with service.imports.taken(caller) as left:
            if (
                not left
                or _under_way(service, caller) > service.settings.imports_per_organization_max
            ):
                SHARES_SPENT.labels("imports").inc()
                raise HTTPException(429, TOO_MANY_IMPORTS, {"Retry-After": str(IMPORTS_RETRY_S)})
            return await _import(
                service, campaign_id, caller, file, column_mappings, idempotency_key
            )

    @routes.post("/{campaign_id}/contacts", responses=ERRORS | ok("ImportedAnswer"))
    async def add(
        campaign_id: CampaignId, caller: who, keyed: key, body: ContactsBody, in_earnest: InEarnest
    ) -> Response:
        """Append contacts. One unusable number refuses all of them."""
        return await _add(service, campaign_id, caller, keyed, body)

    return routes


def _under_way(service: "CommandApi", caller: Caller) -> int:
    """Return the number of imports of an organization, in requests and in the background."""
    mine = caller.organization_id
    behind = sum(
        campaign.created.organization_id == mine for campaign in service.campaigns.importing()
    )
    return service.imports.of_organization[mine] + behind


async def _import(
    service: "CommandApi",
    campaign_id: int,
    caller: Caller,
    file: UploadFile,
    column_mappings: str,
    idempotency_key: str | None,
) -> Response:
    began = perf_counter()
    file_name = _file_name(file.filename)
    upload = file.file
    keyed = await _keyed(service, campaign_id, upload, column_mappings, idempotency_key)
    try:
        given = CsvImport(
            campaign_id,
            caller.organization_id,
            upload,
            file_name,
            parse_mappings(column_mappings),
            service.settings.import_rows_max,
            service.settings.phone_country,
        )
        with counted("import"):
            done = await service.csv_imports.import_csv(given, origin_of(caller, keyed))
    except TooManyRowsError as exc:
        raise HTTPException(413, str(exc)) from exc
    except UnusableFileError as exc:
        COMMANDS.labels("import", Reason.NO_USABLE_ROW.value).inc()
        raise refusal(Rejected(Reason.NO_USABLE_ROW, str(exc))) from exc
    if isinstance(done, Rejected):
        raise refused("import", done)
    count("import", began)
    message = f"Successfully imported {done.rows} contacts"
    if not done.completed:
        message = f"Import started: poll imports/{done.number}"
    return _answer(service, campaign_id, done, message, file_name, 202)


async def _add(
    service: "CommandApi",
    campaign_id: int,
    caller: Caller,
    keyed: Idempotency | None,
    body: ContactsBody,
) -> Response:
    began, given = perf_counter(), body.contacts
    if len(given) > service.settings.contacts_max:
        raise HTTPException(413, f"More than {service.settings.contacts_max} contacts")
    rows = await in_slices(parse_contacts(given, service.settings.phone_country))
    with counted("contacts"):
        done = await add_contacts(
            service,
            campaign_id,
            caller.organization_id,
            rows,
            len(given) - len(rows),
            origin_of(caller, keyed),
        )
    if isinstance(done, Rejected):
        raise refused("contacts", done)
    count("contacts", began)
    return _answer(
        service, campaign_id, done, f"Successfully added {done.rows} contacts", None, 200
    )


def _answer(
    service: "CommandApi",
    campaign_id: int,
    done: Imported,
    message: str,
    file_name: str | None,
    status: int,
) -> Response:
    """Render the outcome of an import. Source: contract 8.4, 9.2 and 9.22."""
    shape = {
        "success": True,
        "message": message,
        "import_id": done.number,
        "status": "completed" if done.completed else "processing",
        "imported_count": done.rows,
        "skipped_count": done.skipped.duplicates,
        "failed_count": done.skipped.unusable,
        "errors": [asdict(error) for error in done.skipped.errors],
        "total_contacts": service.campaigns.by_id[campaign_id].counters.total,
        "file_name": file_name,
        "import_date": instant(done.at),
    }
    return json_response(shape, status, {POSITION: done.ruling.at} if done.ruling else None)


async def _keyed(
    service: "CommandApi", campaign_id: int, file: BinaryIO, mappings: str, key: str | None
) -> Idempotency | None:
    """Return the key with a digest of the parts: the boundary of a repeated body differs.

    Raises:
        RequestValidationError: the key is empty or too long.

    """
    if key is None:
        return None
    longest = service.settings.idempotency_key_length_max
    if not 1 <= len(key) <= longest:
        raise key_unusable(f"expected 1 to {longest} characters")
    file.seek(0)
    digest = await asyncio.to_thread(_digest, file)
    body = f"{digest}\n{mappings}".encode(errors="surrogatepass")
    return Idempotency(key, request_digest("POST", f"{PREFIX}/{campaign_id}/import-data", body))


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := file.read(2**20):
        digest.update(piece)
    return digest.hexdigest()


def _file_name(given: str | None) -> str | None:
    """Return a file name as it is stored: its last part, printable, of bounded length."""
    name = (given or "").replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(char for char in name if char.isprintable())
    return name[-FILE_NAME_CHARS_MAX:] or None
