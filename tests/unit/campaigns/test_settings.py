"""Secrets of every settings class from files."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from command_api.settings import CommandApiSettings
from dialgate.settings import ALL, ProcessSettings, misspelt
from projector.settings import ProjectorSettings


def test_a_secret_is_read_from_its_file_without_the_end_of_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, kind, name in (
        ("DIALGATE_API_KEY", CommandApiSettings, "api_key"),
        ("DIALGATE_DATABASE_URL", ProjectorSettings, "database_url"),
        ("DIALGATE_KAFKA_SASL_PASSWORD", ProcessSettings, "kafka_sasl_password"),
    ):
        file = tmp_path / name
        file.write_text(f"a long secret of {name} \r\n")
        monkeypatch.setenv(f"{variable}_FILE", str(file))
        assert getattr(kind(), name).get_secret_value() == f"a long secret of {name} "


def test_keys_of_organizations_are_read_from_a_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").write_text("one-key-of-an-organization:1\n")
    monkeypatch.setenv("DIALGATE_API_KEYS_FILE", str(tmp_path / "keys"))
    found = CommandApiSettings().api_keys
    assert found is not None
    assert found.get_secret_value() == "one-key-of-an-organization:1"


@pytest.mark.parametrize(
    ("raw", "said"),
    [(None, "cannot read"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "not UTF-8 text"),
     (b"x" * 70_000, "more than")],
)  # fmt: skip
def test_a_file_that_is_no_secret_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: bytes | None, said: str
) -> None:
    file = tmp_path / "secret"
    if raw is not None:
        file.write_bytes(raw)
    monkeypatch.setenv("DIALGATE_API_KEY_FILE", str(file))
    with pytest.raises(ValidationError, match=said) as no:
        CommandApiSettings()
    assert str(file) in str(no.value)
    assert "DIALGATE_API_KEY_FILE" in str(no.value)


def test_both_ways_at_once_are_refused_and_an_empty_one_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("a-key-from-a-file")
    monkeypatch.setenv("DIALGATE_API_KEY_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("DIALGATE_API_KEY", "another-key")
    with pytest.raises(ValidationError, match="found both"):
        CommandApiSettings()
    monkeypatch.setenv("DIALGATE_API_KEY", "")
    found = CommandApiSettings().api_key
    assert found is not None
    assert found.get_secret_value() == "a-key-from-a-file"


def test_only_secrets_have_files() -> None:
    assert not misspelt({"DIALGATE_KAFKA_SASL_PASSWORD_FILE": "x", "DIALGATE_API_KEYS_FILE": "x"})
    (said,) = misspelt({"DIALGATE_PORT_FILE": "x"})
    assert "DIALGATE_PORT_FILE is no setting" in said
    assert len({kind.__name__ for kind in ALL}) == len(ALL)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kafka_security_protocol": "SASL_SSL"}, "SASL_MECHANISM: expected one with SASL_SSL"),
        ({"kafka_sasl_mechanism": "PLAIN"}, "SECURITY_PROTOCOL: expected SASL_SSL"),
        ({"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN"}, "SASL_USERNAME"),
        ({"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN",
          "kafka_sasl_username": "x"}, "SASL_PASSWORD"),
        ({"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "OAUTHBEARER"},
         "expected a TOKEN_FILE, or URL"),
        ({"kafka_ssl_cafile": "x.pem"}, "SSL_CAFILE: of no use with PLAINTEXT"),
        ({"kafka_security_protocol": "SSL", "kafka_ssl_keyfile": "x.pem"}, "SSL_CERTFILE too"),
        ({"kafka_security_protocol": "ssl"}, "SASL_SSL"),
        ({"kafka_sasl_mechanism": "SCRAM"}, "SCRAM-SHA-512"),
        ({"kafka_servers": "broker"}, "expected host:port"),
        ({"kafka_servers": "broker:9092,"}, "expected host:port"),
        ({"kafka_servers": "broker:99999"}, "expected host:port"),
    ],
)  # fmt: skip
def test_what_no_client_of_kafka_could_be_made_of_is_refused(
    given: dict[str, str], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        ProcessSettings(**given)  # type: ignore[arg-type]  # Text, as in the environment.


def test_what_fits_is_taken() -> None:
    ProcessSettings(
        kafka_servers="a:9092,b:9093", kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="OAUTHBEARER", kafka_oauth_token_file=Path("token"),
    )  # fmt: skip
