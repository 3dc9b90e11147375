"""Shares of an organization and of a key; what is given back is free again."""

from campaigns.domain.api_keys import Caller
from campaigns.http.shares import Shares

ANN, BO = Caller(1, "ann", "a"), Caller(1, "bo", "b")
OTHER = Caller(2, "other", "c")


def test_an_organization_and_a_key_have_a_share_and_others_keep_theirs() -> None:
    shares = Shares(organization_max=3, key_max=2)
    first, second = shares.take(ANN), shares.take(ANN)
    assert first and second
    assert shares.take(ANN) is None, "the key's"
    assert shares.take(BO) is not None
    assert shares.take(BO) is None, "the organization's"
    assert shares.take(OTHER) is not None, "another's is untouched"
    assert shares.total == 4
    first()
    first()
    assert shares.total == 3, "given back once"
    assert shares.take(BO) is not None


def test_what_was_taken_for_a_while_is_given_back_however_that_ends() -> None:
    shares = Shares(1, 1)
    try:
        with shares.taken(ANN) as left:
            assert left
            with shares.taken(ANN) as more:
                assert not more
            raise LookupError
    except LookupError:
        pass
    assert shares.total == 0
    assert not shares.of_organization, "no organization is remembered"
