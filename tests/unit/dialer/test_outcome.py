"""A simulated call's outcomes: which, how often, and by which knobs."""

from collections import Counter

import pytest
from pydantic import ValidationError

from campaigns.domain.facts import Disposition
from dialer.carrier.carrier_settings import CarrierSettings
from dialer.carrier.simulated.outcome import CarrierTerms, outcome

IDS = [f"call-{number}" for number in range(4000)]


def test_an_outcome_is_a_function_of_seed_and_call_id() -> None:
    terms = CarrierTerms(seed=7)
    assert [outcome(terms, call) for call in IDS[:50]] == [
        outcome(terms, call) for call in IDS[:50]
    ]
    assert outcome(terms, "a") != outcome(terms, "b")
    assert outcome(terms, "a") != outcome(CarrierTerms(seed=8), "a")


def test_an_outcome_stays_what_it_was_in_earlier_versions() -> None:
    """A carrier that is updated finishes what its predecessor had begun."""
    was = outcome(CarrierTerms(seed=7), "a")
    assert (was.disposition, was.ringing_s, was.talk_s) == (Disposition.NO_ANSWER, 0.40969, 0.0)


def test_dispositions_come_as_often_as_their_weights_say() -> None:
    counted = Counter(outcome(CarrierTerms(), call).disposition for call in IDS)
    shares = {kind: count / len(IDS) for kind, count in counted.items()}
    assert shares == {
        Disposition.ANSWERED: pytest.approx(0.70, abs=0.03),
        Disposition.NO_ANSWER: pytest.approx(0.12, abs=0.03),
        Disposition.BUSY: pytest.approx(0.08, abs=0.03),
        Disposition.VOICEMAIL: pytest.approx(0.05, abs=0.03),
        Disposition.FAILED: pytest.approx(0.05, abs=0.03),
    }


def test_only_weights_above_nothing_are_drawn() -> None:
    terms = CarrierTerms(answered=0, no_answer=0, busy=0.001, voicemail=0, failed=0)
    assert {outcome(terms, call).disposition for call in IDS} == {Disposition.BUSY}


def test_durations_lie_in_their_ranges_and_only_answered_calls_and_voicemails_talk() -> None:
    terms = CarrierTerms()
    for call in IDS:
        fate = outcome(terms, call)
        assert terms.ringing_min_s <= fate.ringing_s <= terms.ringing_max_s
        if fate.disposition in (Disposition.ANSWERED, Disposition.VOICEMAIL):
            assert terms.talk_min_s <= fate.talk_s <= terms.talk_max_s
        else:
            assert fate.talk_s == 0


def test_faults_come_as_often_as_asked_for_and_independently() -> None:
    terms = CarrierTerms(refusals=0.5, silence=0.5, lost_answers=0.5, lost_reports=0.5)
    fates = Counter(
        (fate.refused, fate.silent, fate.answer_lost, fate.report_lost)
        for fate in (outcome(terms, call) for call in IDS)
    )
    assert len(fates) == 16
    assert all(count / len(IDS) == pytest.approx(1 / 16, abs=0.03) for count in fates.values())


def test_without_faults_nothing_is_refused_or_lost() -> None:
    for call in IDS:
        fate = outcome(CarrierTerms(), call)
        assert not (fate.refused or fate.silent or fate.answer_lost or fate.report_lost)


def test_the_settings_defaults_are_the_terms_defaults() -> None:
    assert CarrierSettings().terms() == CarrierTerms()


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIALGATE_CARRIER_SETUP_MS", "5")
    monkeypatch.setenv("DIALGATE_CARRIER_FAULT_SILENCE_PERCENT", "25")
    terms = CarrierSettings().terms()
    assert (terms.setup_s, terms.silence) == (0.005, 0.25)


@pytest.mark.parametrize(
    ("knobs", "complaint"),
    [
        ({"busy_percent": 9.0}, "make 100 percent, got 101"),
        ({"ringing_min_s": 0.6}, "ringing_min_s: expected at most ringing_max_s 0.5, got 0.6"),
        ({"talk_max_s": 0.1}, "talk_min_s: expected at most talk_max_s 0.1, got 0.2"),
    ],
)
def test_settings_that_do_not_fit_are_refused(knobs: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        CarrierSettings(**knobs)  # type: ignore[arg-type]  # One kind of knob at a time.
