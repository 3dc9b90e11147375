"""Where master keys are found: several, the newest first, given and in a file."""

import os
from base64 import b64encode
from pathlib import Path

import pytest

from campaigns.secrets.key_place import KeyPlace
from campaigns.secrets.key_text import keys_of
from campaigns.secrets.master_key import MasterKey, MasterKeyError

OLD, NEW, OTHER = bytes(32), bytes([1] * 32), bytes([2] * 32)


def written(*keys: bytes) -> str:
    return "\n".join(b64encode(key).decode() for key in keys)


def test_keys_are_read_from_lines_and_between_commas() -> None:
    assert keys_of(written(NEW, OLD)) == (NEW, OLD)
    assert keys_of(written(NEW, OLD).replace("\n", ", ")) == (NEW, OLD)
    assert keys_of(written(NEW, NEW)) == (NEW,)


@pytest.mark.parametrize("text", ["", " ,\n", "AAAA", written(NEW) + ",AAAA", "ä" * 44])
def test_what_is_no_list_of_keys_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="expected base64 of 32 bytes") as refused:
        keys_of(text)
    assert not text.strip(" ,\n") or text not in str(refused.value)


def test_the_newest_key_seals_and_all_of_them_open() -> None:
    sealed = KeyPlace(OLD).sealing().seal(b"secret", "it")
    both = KeyPlace.of((NEW, OLD), None)
    assert both.open(sealed, "it") == b"secret"
    anew = both.sealing().seal(b"secret", "it")
    assert KeyPlace(NEW).open(anew, "it") == b"secret"
    with pytest.raises(MasterKeyError, match=f"expected the master key {MasterKey(OLD).name}"):
        KeyPlace(NEW).open(sealed, "it")


def test_a_file_may_hold_several_keys_and_opens_what_a_given_key_did_not_seal(
    tmp_path: Path,
) -> None:
    file = tmp_path / "master.key"
    file.write_text(written(NEW, OLD) + "\n")
    sealed = MasterKey(OLD).seal(b"secret", "it")
    assert KeyPlace(None, file).sealing() == MasterKey(NEW)
    assert KeyPlace(None, file).open(sealed, "it") == b"secret"
    assert KeyPlace(OTHER, file).open(sealed, "it") == b"secret"
    assert [key.name for key in KeyPlace(OTHER, file).newest_first()] == [
        MasterKey(key).name for key in (OTHER, NEW, OLD)
    ]


def test_a_key_that_is_missing_is_named(tmp_path: Path) -> None:
    sealed = MasterKey(OLD).seal(b"secret", "it")
    with pytest.raises(MasterKeyError, match="expected DIALGATE_MASTER_KEY, found none"):
        KeyPlace().open(sealed, "it")
    file = tmp_path / "master.key"
    with pytest.raises(MasterKeyError, match=f"the master key {file}: {os.strerror(2)}"):
        KeyPlace(None, file).open(sealed, "it")
    assert not file.exists(), "no key is made to open something"
