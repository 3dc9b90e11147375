"""API keys by example: of the environment, of the log, revoked, limited."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from campaigns.domain.api_keys import (
    KEY_CHARS_MIN,
    KEY_CHARS_MIN_LOOPBACK,
    ApiKeys,
    key_hash,
    key_id,
    weaknesses,
)
from campaigns.domain.facts import ApiKeyCreated, ApiKeyRevoked, Scope
from campaigns.http.rate_limits import RateLimits
from campaigns.testing.sample_records import NOON
from command_api.settings import CommandApiSettings
from dialgate.settings import ProcessSettings, weak_keys


def created(key: str, organization_id: int = 1, minutes: int = 0, **more: object) -> ApiKeyCreated:
    fields = {"organization_id": organization_id, "key_hash": key_hash(key), "key_prefix": "dg"}
    at = NOON + timedelta(minutes=minutes)
    return ApiKeyCreated.validated(fields | {"created_at": at} | more)


def revoked(key: str, organization_id: int = 1) -> ApiKeyRevoked:
    return ApiKeyRevoked(organization_id=organization_id, key_hash=key_hash(key), revoked_at=NOON)


def test_a_key_may_ask_until_it_is_revoked_and_never_again() -> None:
    keys, hashed = ApiKeys(), key_hash("secret")
    keys.fold(created("secret", scope=Scope.READ, rate_per_minute=9))
    found = keys.callers[hashed]
    assert (found.organization_id, found.scope, found.rate_per_minute) == (1, Scope.READ, 9)
    keys.fold(revoked("secret"))
    keys.fold(created("secret"))
    assert hashed not in keys.callers
    assert keys.revoked_at == {hashed: NOON}
    assert [one.key_hash for one in keys.of(1)] == [hashed], "it is still listed"


def test_a_key_of_before_there_were_scopes_may_do_everything() -> None:
    keys = ApiKeys()
    keys.fold(created("old"))
    assert keys.callers[key_hash("old")].scope is Scope.ADMIN


def test_nobody_revokes_another_organizations_key_or_one_of_the_environment() -> None:
    keys = ApiKeys()
    keys.configure("mine", None)
    for key in ("mine", "theirs"):
        keys.fold(created(key))
    keys.fold(revoked("theirs", organization_id=2))
    keys.fold(revoked("mine"))
    keys.fold(revoked("nobody"))
    assert keys.callers.keys() == {key_hash("mine"), key_hash("theirs")}


def test_keys_are_listed_newest_first_and_named_within_their_organization() -> None:
    keys = ApiKeys()
    for minutes, key in enumerate(("first", "second")):
        keys.fold(created(key, minutes=minutes))
    keys.fold(created("other", organization_id=2))
    assert [one.key_hash for one in keys.of(1)] == [key_hash("second"), key_hash("first")]
    name = key_id(key_hash("other"))
    assert keys.named(1, name) is None
    assert keys.named(2, name) is not None


def test_an_actor_names_a_key_by_its_id_and_says_nothing_of_the_key() -> None:
    keys = ApiKeys()
    one, two = "acme-production-aaaa", "acme-production-bbbb"
    keys.configure("adminkey-of-the-first", f"{one}:2,{two}:2")
    keys.fold(created("stored"))
    actors = [caller.actor for caller in keys.callers.values()]
    assert len(set(actors)) == len(actors) == 4, "two keys are always told apart"
    for key in ("adminkey-of-the-first", one, two, "stored"):
        actor = keys.callers[key_hash(key)].actor
        assert actor.endswith(f" key {key_id(key_hash(key))}"), "as lists of keys have it"
        assert key[:4] not in actor and key[-4:] not in actor


STRONG = "a-key-of-the-environment"


@pytest.mark.parametrize(
    ("api_key", "api_keys", "says"),
    [
        ("a", None, "DIALGATE_API_KEY: expected a key of at least 16 characters"),
        (STRONG[:15], None, "at least 16 characters"),
        (None, f"{STRONG}:1,short:2", "DIALGATE_API_KEYS: entry 2: expected a key of at least 16"),
        ("aaaaaaaaaaaaaaaaaaab", None, "4 different characters"),
        ("a key with spaces in it", None, "printable ASCII"),
        ("schlüssel-der-installation", None, "printable ASCII"),
        ("key\x1b[2Jof-the-installation", None, "printable ASCII"),
        (STRONG, f"{STRONG}:2", "entry 1: it is the same key as DIALGATE_API_KEY"),
        (STRONG, f"{STRONG}:1", "entry 1: it is the same key as DIALGATE_API_KEY"),
        (None, f"{STRONG}:1,{STRONG}:2", "entry 2: it is the same key as DIALGATE_API_KEYS: entry"),
    ],
)
def test_a_weak_or_double_key_is_said_and_never_shown(
    api_key: str | None, api_keys: str | None, says: str
) -> None:
    (sentence,) = weaknesses(api_key, api_keys, KEY_CHARS_MIN)
    assert says in sentence
    for shown in (STRONG, "short:2", "aaaa", "schlüssel"):
        assert shown not in sentence


def test_strong_keys_are_taken() -> None:
    assert weaknesses(None, None, KEY_CHARS_MIN) == []
    assert weaknesses(STRONG, f"{STRONG}-2:2,{STRONG}-3:2", KEY_CHARS_MIN) == []
    assert weaknesses("try-me", None, KEY_CHARS_MIN_LOOPBACK) == [], "as the README begins"


@pytest.mark.parametrize(
    ("host", "weak"),
    [("127.0.0.1", False), ("localhost", False), ("::1", False), ("127.9.9.9", False),
     ("0.0.0.0", True), ("::", True), ("10.0.0.7", True), ("api.example.com", True)],
)  # fmt: skip
def test_a_short_key_does_where_only_this_machine_can_ask(host: str, weak: bool) -> None:
    own = CommandApiSettings(api_key=SecretStr("try-me"))
    assert bool(weak_keys(ProcessSettings(host=host), own)) == weak


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_key_may_ask_so_often_and_is_told_when_again() -> None:
    keys, clock = ApiKeys(), Clock()
    for key, rate in (("a", 60), ("b", None)):
        keys.fold(created(key, rate_per_minute=rate))
    a, b = (keys.callers[key_hash(key)] for key in "ab")
    limits = RateLimits(clock, None)
    assert [limits.wait_s(a) for _ in range(11)] == [0] * 10 + [1]
    assert [limits.wait_s(b) for _ in range(99)] == [0] * 99, "off by default"
    clock.now += 0.5
    assert limits.wait_s(a) == 1, "what is refused does not count"
    clock.now += 0.5
    assert limits.wait_s(a) == 0
    clock.now += 3600
    assert [limits.wait_s(a) for _ in range(11)] == [0] * 10 + [1]


def test_a_slow_limit_says_how_many_whole_seconds() -> None:
    keys, clock = ApiKeys(), Clock()
    keys.fold(created("a"))
    limits = RateLimits(clock, 2)
    caller = keys.callers[key_hash("a")]
    assert limits.wait_s(caller) == 0
    assert limits.wait_s(caller) == 30
    clock.now += 29.5
    assert limits.wait_s(caller) == 1
