"""`dialgate seal`: signs what is in the log, so that a later change of it is found and placed."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from campaigns.audit.rulings import partitions_of
from campaigns.process.clock import SystemClock
from dialgate.exit_codes import WENT_WRONG
from dialgate.settings import ProcessSettings
from dialgate.verbs.progress import progress
from dialgate.verbs.terminal import complain, say
from dialgate.verbs.verb import (
    AsJson,
    FromFile,
    MisusedError,
    checked_settings,
    refuse_part,
    run_verb,
    source,
)

PROVES = (
    "proves: no record up to there was altered, dropped, repeated, moved or replaced since, as long"
    " as the private key and this file are out of reach of whoever could alter the log"
)
PROVES_NOT = (
    "does not prove: that the log was complete or true when it was sealed, when that was (an"
    " independent witness of this line does), or what came after"
)


def command(
    key: Annotated[
        Path | None, typer.Option(help="The private Ed25519 key, unencrypted, in PEM.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file of seals; the new one is appended to it.")
    ] = None,
    new_key: Annotated[
        Path | None, typer.Option(help="Make a key in this new file, and NAME.pub beside it.")
    ] = None,
    as_json: AsJson = False,
    exported: FromFile = None,
) -> None:
    """Sign all that is in the log, chained to the last seal in the file.

    First compares the log with that seal. `dialgate verify --seal` does the same at any time, with
    the public key alone. Exit code 1: the log is not what was sealed before.
    """
    settings = checked_settings()
    run_verb(seal(settings, key, out, new_key, as_json=as_json, exported=exported))


async def seal(
    settings: ProcessSettings,
    key: Path | None,
    out: Path | None,
    new_key: Path | None = None,
    *,
    as_json: bool = False,
    exported: Path | None = None,
) -> int:
    """Append a seal, or make a key. Returns 1 when the log is not what was sealed before.

    Raises:
        MisusedError: the options do not fit together.
        SealUnreadableError: the key or the file of seals cannot be used.
        ContractError: a record stops every reader.
        OSError: a file cannot be read or written.

    """
    from campaigns.audit.seal.seal_check import SealDifference
    from campaigns.audit.seal.seal_file import Sealing, appended, read_seals
    from campaigns.audit.seal.seal_format import Seals
    from campaigns.audit.seal.seal_keys import make_key, private_key
    from campaigns.process.errors import SealUnreadableError

    if new_key is not None:
        if key or out:
            raise MisusedError("--new-key: expected no other option")
        public = make_key(new_key)
        say(f"{new_key}: keep it from whoever can write to the log; {public} is for everybody")
        return 0
    if key is None or out is None:
        raise MisusedError("expected --key FILE and --out FILE, or --new-key FILE")
    private = private_key(key)
    async with source(settings, exported) as (log, installation):
        refuse_part(log, "sealed")
        with appended(out) as file:
            seals = Seals(None) if file.empty else read_seals(out, private.public_key())
            if seals.inexact:
                raise SealUnreadableError(f"{out}: the detail of its seals was altered")
            total = sum((await log.ends(partitions_of(log))).values())
            with progress("sealing", total) as seen:
                sealing = Sealing(log, installation, seals, private, seen)
                found = await sealing.seal(SystemClock().now())
            if isinstance(found, SealDifference):
                complain(f"dialgate: nothing was sealed: {found.at}: {found.what}")
                return WENT_WRONG
            line, head = found
            file.append(line)
    if as_json:
        places = {
            f"{name}@{one.position}": {"root": one.root, "digest": one.digest}
            for name, one in head.partitions.items()
        }
        shape = {"seal": head.number, "made_at": head.made_at, "log": head.log, "sealed": places}
        say(orjson.dumps(shape).decode())
        return 0
    say(f"seal {head.number} of {head.log}, {head.made_at}")
    for name, one in head.partitions.items():
        say(f"{name}@{one.position}  root {one.root}  accepted {one.digest}")
    say(PROVES)
    say(PROVES_NOT)
    return 0
