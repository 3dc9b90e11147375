"""`dialgate proof`: the records about one number or contact, to be checked without the log."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from campaigns.audit.masks import masked_text
from campaigns.audit.rulings import partitions_of
from dialgate.settings import ProcessSettings
from dialgate.verbs.new_file import new_file
from dialgate.verbs.progress import progress
from dialgate.verbs.terminal import complain, say
from dialgate.verbs.verb import (
    FromFile,
    MisusedError,
    Reveal,
    checked_settings,
    refuse_part,
    run_verb,
    source,
)


def command(
    seal: Annotated[Path, typer.Option(help="The file of seals; the last one counts.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    number: Annotated[
        str | None, typer.Option(help="A phone number, such as +14155550123.")
    ] = None,
    contact: Annotated[
        str | None, typer.Option(help="One contact, as campaign/contact: 4/17.")
    ] = None,
    exported: FromFile = None,
    reveal: Reveal = False,
) -> None:
    """Write the records about one number or contact, with what proves them against a seal.

    `dialgate verify --proof FILE --public-key FILE` checks it, without the log. It holds whole
    records: with a chunk of contacts come their neighbours in it.
    """
    settings = checked_settings()
    run_verb(proof(settings, seal, out, number, contact, exported=exported, reveal=reveal))


async def proof(
    settings: ProcessSettings,
    seal: Path,
    out: Path,
    number: str | None,
    contact: str | None,
    *,
    exported: Path | None = None,
    reveal: bool = False,
) -> int:
    """Write a bundle. Returns 0.

    Raises:
        MisusedError: neither a number nor a contact is asked for, or nothing is about it.
        SealUnreadableError: the seals cannot be used, or the log is not what was sealed.
        OSError: a file cannot be read or written.

    """
    from campaigns.audit.seal.proof import Subject, contact_of
    from campaigns.audit.seal.proof_maker import ProofMaker
    from campaigns.audit.seal.seal_file import read_seals

    place = contact_of(contact) if contact is not None else None
    if (number is None) == (contact is None):
        raise MisusedError("expected --number or --contact, and not both")
    if contact is not None and place is None:
        raise MisusedError(f"--contact: expected campaign/contact, such as 4/17, found {contact}")
    subject = Subject(number, place)
    seals = read_seals(seal, None)
    async with source(settings, exported) as (log, installation):
        refuse_part(log, "proven")
        total = sum((await log.ends(partitions_of(log))).values())
        with progress("looking", total) as seen:
            maker = ProofMaker(log, installation, seals, subject, seen)
            bundle = await maker.make()
    about = str(subject) if reveal else masked_text(str(subject))
    if not bundle.records:
        raise MisusedError(f"expected sealed records about {about}, found none")
    with new_file(out) as file:
        file.write(msgspec.json.format(msgspec.json.encode(bundle), indent=1) + b"\n")
    say(f"{out}: {len(bundle.records)} records about {about}")
    for sentence in bundle.proves:
        say(f"proves: {sentence}")
    for sentence in bundle.proves_not:
        say(f"does not prove: {sentence}")
    if maker.unsealed:
        complain(f"{maker.unsealed} records about it came after the seal, and are not in it")
    return 0
