"""A proof bundle is checked without the log, and nothing in it can be altered."""

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from campaigns.audit.seal.proof import Bundle, Proven, Subject, check_bundle, contact_of
from campaigns.audit.seal.proof_maker import ProofMaker
from campaigns.domain.facts import (
    CampaignErased,
    CampaignPaused,
    ContactExhausted,
    ContactsAdded,
    ContactsEncrypted,
    ImportCompleted,
    ImportSource,
)
from campaigns.domain.values.rows import Row
from campaigns.log.installation_log import whole
from campaigns.log.port import MemoryLog
from campaigns.personal.list_keys import KeyUnavailableError
from campaigns.personal.row_cipher import encrypted
from campaigns.process.errors import SealUnreadableError
from campaigns.testing.sample_records import NOON, offered
from tests.support.mixed_log import NUMBER
from tests.support.seals import FIRST, key, log_of, sealed, seals_of

BEFORE = 1_020  # So that what a bundle holds stands in two blocks.
CHECKER = Path(__file__).parents[3] / "docs" / "examples" / "check_proof.py"
OURS = ("campaigns", "command_api", "dialer", "projector", "dialgate")
CONTACT = "4/8"  # The number is that of row 2 of a list whose first contact is 7.


_CALLED = list[bytes]()


async def called() -> MemoryLog:
    """Return a log in which one number is in two lists, and its first contact was given up."""
    if not _CALLED:
        log = await _called()
        _CALLED.extend(one.raw or b"" for one in await log.read(FIRST, 0, 9_999))
    return log_of(_CALLED)


async def _called() -> MemoryLog:
    log = MemoryLog()
    for number in range(BEFORE):
        paused = CampaignPaused(campaign_id=1, reason=None, paused_at=NOON)
        await log.append(FIRST, offered(paused, condition_version=number), 1)
    rows = (Row(phone_number="+14155550100"), Row(phone_number=NUMBER, name="Ada"))
    for campaign, import_id, first in ((4, "one", 7), (5, "two", 1)):
        added = ContactsAdded(import_id=import_id, first_row=1, rows=rows)
        await log.append(FIRST, offered(added), campaign)
        counted = ImportCompleted(
            campaign_id=campaign, import_id=import_id, number=1, source=ImportSource.API,
            file_name=None, first_contact_id=first, rows=2, skipped=0, failed=0, errors=(),
            variable_mappings={}, available_variables=(), completed_at=NOON,
        )  # fmt: skip
        await log.append(FIRST, offered(counted), campaign)
    for version in range(3):
        given_up = ContactExhausted(
            campaign_id=4, contact_id=8, run=1 + version, attempts=1, exhausted_at=NOON
        )
        await log.append(FIRST, offered(given_up, condition_version=version), 4)
        await log.append(FIRST, offered(given_up, condition_version=0), 4)  # Refused.
    return log


async def bundle_of(log: MemoryLog, subject: Subject, lines: list[bytes]) -> Bundle:
    maker = ProofMaker(log, await whole(log), seals_of(lines), subject)
    bundle = await maker.make()
    assert maker.unsealed == 0
    return bundle


async def proven_of(log: MemoryLog, subject: Subject) -> tuple[bytes, Proven]:
    text = msgspec.json.encode(await bundle_of(log, subject, await sealed(log)))
    return text, check_bundle(text, key().public_key(), "file")


def tags(proven: Proven) -> list[str]:
    return [fact["type"] for _, record in proven.records for fact in record["facts"]]


async def test_a_number_has_all_records_that_touched_it() -> None:
    _, proven = await proven_of(await called(), Subject(NUMBER, None))
    assert proven.bundle.contacts == ["4/8", "5/2"]
    assert tags(proven) == [
        "contacts-added.v1", "import-completed.v1", "contacts-added.v1", "import-completed.v1",
        *["contact-exhausted.v1"] * 3,
    ]  # fmt: skip
    assert not proven.gaps
    assert proven.records[0][0] == f"{FIRST}@{BEFORE + 1}"


async def test_a_contact_has_its_own_alone() -> None:
    _, proven = await proven_of(await called(), Subject(None, contact_of(CONTACT)))
    assert proven.bundle.contacts == [CONTACT]
    assert tags(proven) == [
        "contacts-added.v1", "import-completed.v1", *["contact-exhausted.v1"] * 3,
    ]  # fmt: skip


def _first_byte(bundle: Any) -> None:
    bundle["records"][1]["record"] = "AAAA" + bundle["records"][1]["record"][4:]


def _position(bundle: Any) -> None:
    bundle["records"][1]["position"] += 1


def _path(bundle: Any) -> None:
    bundle["records"][1]["path"][0] = "00" * 32


def _subject(bundle: Any) -> None:
    bundle["number"] = "+14155559999"


def _contacts(bundle: Any) -> None:
    bundle["contacts"] = ["9/9"]


def _root(bundle: Any) -> None:
    bundle["seal"] = bundle["seal"].replace('"root":"', '"root":"0')


def _outside(bundle: Any) -> None:
    bundle["records"][1]["position"] = 99_999


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (_first_byte, "not the record that was sealed there"),
        (_position, "not the record that was sealed there"),
        (_path, "not the record that was sealed there"),
        (_subject, "not about what the bundle is about"),
        (_contacts, "not about what the bundle is about"),
        (_root, "the signature is not of this key"),
        (_outside, "outside what was sealed"),
        (lambda bundle: bundle.update(dialgate_proof=2), "a later version made it"),
        (dict.clear, "expected a proof bundle"),
    ],
)
async def test_a_bundle_that_was_altered_proves_nothing(
    alter: Callable[[Any], None], said: str
) -> None:
    text, _ = await proven_of(await called(), Subject(NUMBER, None))
    bundle = orjson.loads(text)
    alter(bundle)
    with pytest.raises(SealUnreadableError, match=said):
        check_bundle(orjson.dumps(bundle), key().public_key(), "file")


def without_us(folder: Path, text: bytes) -> subprocess.CompletedProcess[str]:
    """Run the auditors' program where nothing of ours can be imported."""
    public = key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "proof.json").write_bytes(text)
    (folder / "seal.pub").write_bytes(public)
    blocked = f"import sys; sys.modules.update(dict.fromkeys({OURS!r})); "
    run = f"import runpy; runpy.run_path({str(CHECKER)!r}, run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", blocked + run, "proof.json", "seal.pub"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


async def test_an_auditor_checks_a_bundle_without_our_program(tmp_path: Path) -> None:
    text, proven = await proven_of(await called(), Subject(NUMBER, None))
    checked = without_us(tmp_path, text)
    assert checked.returncode == 0, checked.stderr
    assert [line.split()[0] for line in checked.stdout.splitlines()] == [
        at for at, _ in proven.records
    ]
    bundle = orjson.loads(text)
    _first_byte(bundle)
    checked = without_us(tmp_path, orjson.dumps(bundle))
    assert (checked.returncode, checked.stdout) == (1, "")
    assert "is not the record that was sealed there" in checked.stderr


def _pem(private: Any) -> bytes:
    return bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


BAD: dict[str, tuple[bytes | None, bytes | None, int]] = {  # Bundle, key; None: a good one.
    "no bundle": (b"", None, 2),
    "no JSON": (b"{", None, 2),
    "deep JSON": (b"[" * 100_000, None, 2),
    "no text": (b"\xff", None, 2),
    "an empty bundle": (b"{}", None, 2),
    "a list": (b"[1]", None, 2),
    "a number for a seal": (b'{"seal":1,"signature":"","contacts":[],"records":[]}', None, 2),
    "records of nothing": (b'{"seal":"","signature":"","contacts":[],"records":["x"]}', None, 2),
    "steps that are none": (
        b'{"seal":"","signature":"","contacts":[],"records":'
        b'[{"partition":"a","position":1,"record":"","path":[1]}]}',
        None,
        2,
    ),
    "no signature": (b'{"seal":"","signature":"","contacts":[],"records":[]}', None, 1),
    "half a signature": (b'{"seal":"","signature":"A","contacts":[],"records":[]}', None, 1),
    "no key": (None, b"", 2),
    "no PEM": (None, b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 2),
    "another kind of key": (None, _pem(generate_private_key(SECP256R1())), 2),
    "another key": (None, _pem(Ed25519PrivateKey.generate()), 1),
}


@pytest.mark.parametrize("bad", BAD)
async def test_what_the_auditors_program_cannot_use_is_one_sentence(
    bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, public, status = BAD[bad]
    text, _ = await proven_of(await called(), Subject(NUMBER, None))
    (tmp_path / "proof.json").write_bytes(text if bundle is None else bundle)
    (tmp_path / "seal.pub").write_bytes(_pem(key()) if public is None else public)
    ended = checked_in_process(monkeypatch, tmp_path / "proof.json", tmp_path / "seal.pub")
    said = capsys.readouterr()
    assert said.out == "", "nothing is proven"
    if status == 1:
        assert isinstance(ended.code, str) and len(ended.code.splitlines()) == 1
    else:
        assert (ended.code, len(said.err.splitlines())) == (2, 1)


@pytest.mark.parametrize("files", [(), ("proof.json",), ("nowhere", "nowhere"), (".", ".")])
def test_files_that_the_auditors_program_cannot_read_are_one_sentence(
    files: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = checked_in_process(monkeypatch, *files)
    assert (ended.code, len(capsys.readouterr().err.splitlines())) == (2, 1)


def checked_in_process(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> SystemExit:
    """Run the auditors' program, which ends by itself."""
    monkeypatch.setattr(sys, "argv", [str(CHECKER), *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(CHECKER), run_name="__main__")
    return ended.value


@pytest.mark.parametrize("alter", [_first_byte, _position, _path, _root, _outside])
async def test_the_auditors_program_refuses_what_ours_refuses(alter: Callable[[Any], None]) -> None:
    checker = runpy.run_path(str(CHECKER))
    text, _ = await proven_of(await called(), Subject(NUMBER, None))
    bundle = orjson.loads(text)
    records = checker["proven"](bundle, key().public_key())
    assert not checker["missing"](bundle, records)
    assert checker["missing"](bundle, [*records[:-2], records[-1]]), "it misses what is left out"
    alter(bundle)
    with pytest.raises((ValueError, KeyError, InvalidSignature)):
        checker["proven"](bundle, key().public_key())


async def test_a_record_that_was_left_out_between_others_is_missed() -> None:
    text, _ = await proven_of(await called(), Subject(NUMBER, None))
    bundle = orjson.loads(text)
    del bundle["records"][-2]
    proven = check_bundle(orjson.dumps(bundle), key().public_key(), "file")
    last, _ = proven.records[-1]
    assert proven.gaps == [f"contact/4/8: expected its version 1, found 2 at {last}"]
    del bundle["records"][-1]  # And the last one is not: the bundle says that it proves no such.
    assert not check_bundle(orjson.dumps(bundle), key().public_key(), "file").gaps


async def test_no_bundle_is_made_of_a_log_that_is_not_the_sealed_one() -> None:
    log = await called()
    lines = await sealed(log)
    records = [one.raw or b"" for one in await log.read(FIRST, 0, 9_999)]
    records[3] = b"another"
    with pytest.raises(SealUnreadableError, match="not the one that was sealed"):
        await bundle_of(log_of(records), Subject(NUMBER, None), lines)
    with pytest.raises(SealUnreadableError, match="found fewer"):
        await bundle_of(log_of(records[:2]), Subject(NUMBER, None), lines)


def test_a_contact_is_named_by_campaign_and_number() -> None:
    assert contact_of("4/17") == (4, 17)
    assert [contact_of(one) for one in ("4", "4/", "/4", "0/1", "4/x", "4/1/2", "")] == [None] * 7


async def test_a_list_that_was_forgotten_hides_no_other_and_a_missing_key_is_told() -> None:
    log = MemoryLog()
    assert log.list_keys is not None
    made = [await log.list_keys.take() for _ in range(2)]
    for campaign, one in enumerate(made, 4):
        rows = encrypted(one.tree, one.key_id, 1, [Row(phone_number=NUMBER)])
        added = ContactsEncrypted(import_id=one.key_id, first_row=1, key_id=one.key_id, rows=rows)
        await log.append(FIRST, offered(added), campaign)
        counted = ImportCompleted(
            campaign_id=campaign, import_id=one.key_id, number=1, source=ImportSource.API,
            file_name=None, first_contact_id=1, rows=1, skipped=0, failed=0, errors=(),
            variable_mappings={}, available_variables=(), completed_at=NOON,
        )  # fmt: skip
        await log.append(FIRST, offered(counted), campaign)
    gone = CampaignErased(campaign_id=4, through=1, key_ids=(made[0].key_id,), erased_at=NOON)
    await log.append(FIRST, offered(gone, condition_version=0), 4)
    await log.list_keys.forget(made[0].key_id)
    lines = await sealed(log)
    bundle = await bundle_of(log, Subject(NUMBER, None), lines)
    assert bundle.contacts == ["5/1"]
    await log.list_keys.forget(made[1].key_id)
    with pytest.raises(KeyUnavailableError, match=made[1].key_id):
        await bundle_of(log, Subject(NUMBER, None), lines)


async def test_an_erasure_of_its_campaign_is_about_a_contact() -> None:
    log = await called()
    for version, through in enumerate((8, 9)):
        gone = CampaignErased(campaign_id=4, through=through, key_ids=("k",), erased_at=NOON)
        await log.append(FIRST, offered(gone, condition_version=version), 4)
    other = CampaignErased(campaign_id=5, through=1, key_ids=("k",), erased_at=NOON)
    await log.append(FIRST, offered(other, condition_version=0), 5)
    for subject in (Subject(None, (4, 8)), Subject(NUMBER, None)):
        _, proven = await proven_of(log, subject)
        assert tags(proven)[-1] == "campaign-erased.v1"
        said = "neither that of another campaign, nor one that came later"
        assert tags(proven).count("campaign-erased.v1") == 1, said
        assert proven.bundle.contacts[0] == CONTACT
    _, proven = await proven_of(log, Subject(None, (5, 2)))
    assert "campaign-erased.v1" not in tags(proven), "it came later"
