"""A setting that does not fit ends the start with a sentence that names it.

Every number has an upper bound, so that no timer overflows.
"""

from pathlib import Path

import pytest
from pydantic import ValidationError

from command_api.settings import CommandApiSettings
from dialgate.logs import lock_part
from dialgate.settings import ALL, ProcessSettings, knobs, misfits

FLOATS = [
    (variable, kind, name)
    for variable, kind, name in knobs()
    if "float" in str(kind.model_fields[name].annotation)
]


@pytest.mark.parametrize(("variable", "kind", "name"), FLOATS, ids=[one[0] for one in FLOATS])
@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "1e309", "1e30", "-1", "1e308"])
def test_a_number_without_an_end_is_no_setting(
    monkeypatch: pytest.MonkeyPatch, variable: str, kind: type, name: str, text: str
) -> None:
    monkeypatch.setenv(variable, text)
    (sentence, *_) = refused(kind)
    assert sentence.startswith(f"{variable}: ")


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("PORT", "99999", "PORT: expected a number less than or equal to 65535, found '99999'"),
        ("PARTITIONS", "0", "PARTITIONS: expected a number greater than 0, found '0'"),
        ("PARTITIONS", "two", "PARTITIONS: expected a whole number, found 'two'"),
        ("READY_S", "soon", "READY_S: expected a number, found 'soon'"),
        ("READY_S", "inf", "READY_S: expected a finite number, found 'inf'"),
        ("LOG_JSON", "maybe", "LOG_JSON: expected true or false, found 'maybe'"),
        ("LOG_LEVEL", "loud",
         "LOG_LEVEL: expected 'DEBUG', 'INFO', 'WARNING' or 'ERROR', found 'loud'"),
        ("KAFKA_SERVERS", "b", "KAFKA_SERVERS: expected host:port[,host:port], found 'b'"),
        ("API_KEY_FILE", "/nope", "API_KEY_FILE: cannot read /nope: No such file or directory"),
        ("CARRIER_BUSY_PERCENT", "99",
         "CARRIER_…: expected the five dispositions to make 100 percent, got 191"),
        ("CARRIER_URL", "ftp://user:secret@here",
         "CARRIER_…: url: expected an address that begins with http:// or https://"),
    ],
)  # fmt: skip
def test_the_sentence_names_the_setting_what_was_expected_and_what_was_found(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, sentence: str
) -> None:
    monkeypatch.setenv(f"DIALGATE_{variable}", text)
    owners = [kind for kind in ALL if f"DIALGATE_{variable}".removesuffix("_FILE") in names(kind)]
    assert f"DIALGATE_{sentence}" in refused(owners[0])


def test_a_secret_is_never_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIALGATE_API_KEYS", "very-secret")
    assert not any("very-secret" in sentence for sentence in refused(CommandApiSettings))


@pytest.mark.parametrize("data_dir", ["file", "file/data"])
def test_a_data_directory_that_cannot_be_used_is_named(tmp_path: Path, data_dir: str) -> None:
    (tmp_path / "file").write_text("")
    settings = ProcessSettings(data_dir=tmp_path / data_dir)
    with pytest.raises(OSError, match="DIALGATE_DATA_DIR: expected a directory"):
        lock_part(settings, "dialer")


def names(kind: type) -> set[str]:
    return {variable for variable, settings, _ in knobs() if settings is kind}


def refused(kind: type) -> list[str]:
    """Return the sentences with which settings refuse the environment."""
    with pytest.raises(ValidationError) as invalid:
        kind()
    return misfits(invalid.value)
