"""`dialgate verify --seal` and `--proof`: checks what was signed. Writes nothing."""

from pathlib import Path
from typing import NamedTuple

import orjson

from campaigns.audit.masks import masked_number, masked_record
from campaigns.audit.rulings import partitions_of
from campaigns.audit.stories.phrases import counted
from dialgate.exit_codes import WENT_WRONG
from dialgate.settings import ProcessSettings
from dialgate.verbs.evidence.seal import PROVES, PROVES_NOT
from dialgate.verbs.progress import progress
from dialgate.verbs.terminal import say
from dialgate.verbs.verb import MisusedError, refuse_part, source


class Signed(NamedTuple):
    """What is to be checked: the log against seals, or a bundle."""

    seal: Path | None
    proof: Path | None
    public_key: Path | None
    reveal: bool = False  # Show personal data.


async def verify_signed(
    settings: ProcessSettings, signed: Signed, *, as_json: bool, exported: Path | None = None
) -> int:
    """Check a log against its seals, or a bundle without the log. Returns 1 if it is not as sealed.

    Raises:
        MisusedError: the options do not fit together.
        SealUnreadableError: the seals, the bundle or the key cannot be used.
        OSError: a file cannot be read.

    """
    seal, proof, public_key, reveal = signed
    if public_key is None or (seal is None) == (proof is None):
        raise MisusedError("expected --public-key FILE, with --seal FILE or with --proof FILE")
    if proof is not None and exported is not None:
        raise MisusedError("--proof is checked without a log: expected no --from")
    if proof is not None:
        return _verify_proof(proof, public_key, as_json=as_json, reveal=reveal)
    assert seal is not None, "one of the two"
    return await _verify_seal(settings, seal, public_key, as_json=as_json, exported=exported)


async def _verify_seal(
    settings: ProcessSettings,
    path: Path,
    public: Path,
    *,
    as_json: bool,
    exported: Path | None,
) -> int:
    from campaigns.audit.seal.seal_check import SealCheck, sealed_positions
    from campaigns.audit.seal.seal_file import read_seals
    from campaigns.audit.seal.seal_keys import public_key

    seals = read_seals(path, public_key(public))
    assert seals.last is not None, "read_seals refuses an empty file"
    head = seals.last.head
    async with source(settings, exported) as (log, installation):
        refuse_part(log, "compared with a seal")
        ends = await log.ends(partitions_of(log))
        sealed = sum(one.position for one in head.partitions.values())
        with progress("comparing", sealed) as seen:
            found = await SealCheck(log, installation, seals, seen).differences()
        copy = log.id != head.log
    places = list(sealed_positions(head.partitions))
    if as_json:
        violations = [{"at": one.at, "what": one.what} for one in found]
        shape = {
            "ok": not found, "violations": violations, "seals": head.number,
            "made_at": head.made_at, "log": head.log, "copy": copy, "sealed": places,
            "since": sum(ends.values()) - sealed,
        }  # fmt: skip
        say(orjson.dumps(shape).decode())
        return WENT_WRONG if found else 0
    for one in found:
        say(f"{one.at}: {one.what}")
    if found:
        say(f"The log is not what seal {head.number} of {head.made_at} has signed.")
        return WENT_WRONG
    say(
        f"All is as {counted(head.number, 'seal')} said, up to {', '.join(places)}, {head.made_at}."
    )
    if copy:
        say(f"This log is a copy: {head.log} was sealed.")
    say(PROVES)
    say(PROVES_NOT)
    return 0


def _verify_proof(path: Path, public: Path, *, as_json: bool, reveal: bool) -> int:
    from campaigns.audit.seal.proof import check_bundle
    from campaigns.audit.seal.seal_keys import public_key

    proven = check_bundle(path.read_bytes(), public_key(public), str(path))
    bundle, head = proven.bundle, proven.head
    number = bundle.number and (bundle.number if reveal else masked_number(bundle.number))
    if as_json:
        shape = {
            "ok": not proven.gaps, "gaps": proven.gaps, "number": number,
            "contacts": bundle.contacts, "seal": head.number, "made_at": head.made_at,
            "log": head.log,
            "records": [
                {"at": at, "record": record if reveal else masked_record(record)}
                for at, record in proven.records
            ],
        }  # fmt: skip
        say(orjson.dumps(shape).decode())
        return WENT_WRONG if proven.gaps else 0
    for at, record in proven.records:
        facts = ", ".join(f"{fact['type']} {fact['stream']}" for fact in record["facts"])
        say(f"{at}  {record['time']}  {record['actor']}  {facts}")
    for gap in proven.gaps:
        say(f"missing: {gap}")
    of = number or ", ".join(bundle.contacts)
    say(f"{len(proven.records)} records about {of} are in seal {head.number} of {head.made_at}")
    for sentence in bundle.proves:
        say(f"proves: {sentence}")
    for sentence in bundle.proves_not:
        say(f"does not prove: {sentence}")
    return WENT_WRONG if proven.gaps else 0
