"""The outcome of a simulated call: a function of terms and call id. Pure: no clock, no randomness.

The same seed and call id always give the same outcome, so that a restarted carrier finishes its
calls, and a test knows beforehand how a call will end.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from campaigns.domain.facts import Disposition

_DRAWS = 7  # Independent numbers drawn for one call, four bytes each.
_CALLS_MAX = 4_096  # Cached: an outcome is used at each step of its call.


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierTerms:
    """How the simulated carrier behaves, faults included. Shares are fractions, 0 to 1.

    Source: architecture "The simulated carrier".
    """

    seed: int = 0
    setup_s: float = 0.020  # From taking a call to its ring.
    ringing_min_s: float = 0.1
    ringing_max_s: float = 0.5
    talk_min_s: float = 0.2  # Of answered calls and of voicemails.
    talk_max_s: float = 2.0
    answered: float = 0.70  # Weights of the dispositions; only their ratios count.
    no_answer: float = 0.12
    busy: float = 0.08
    voicemail: float = 0.05
    failed: float = 0.05
    refuses_late: bool = True  # Begins no ring after `ring_by`.
    lookup_lag_s: float = 0.0  # A call taken more recently is not found.
    answer_latency_s: float = 0.0  # Fault: from the ring's begin to the answer.
    lost_answers: float = 0.0  # Fault: it rings, and the answer never comes.
    refusals: float = 0.0  # Fault: a definite no.
    silence: float = 0.0  # Fault: never answers, never rings, finds no call.
    lost_reports: float = 0.0  # Fault: it ends without a report.

    @property
    def silence_s(self) -> float:
        """Return how long a started call may be silent before it is asked about."""
        return self.ringing_max_s + self.talk_max_s + 1.0  # One second for the network.


@dataclass(frozen=True, slots=True)
class Outcome:
    """A call's course, fixed before it is taken."""

    disposition: Disposition
    ringing_s: float
    talk_s: float  # 0 when neither a person nor a machine answers.
    refused: bool
    silent: bool
    answer_lost: bool
    report_lost: bool


@lru_cache(_CALLS_MAX)
def outcome(terms: CarrierTerms, call_id: str) -> Outcome:
    """Return a call's outcome under these terms."""
    digest = blake2b(f"{terms.seed}/{call_id}".encode(), digest_size=4 * _DRAWS).digest()
    kind, ringing, talk, refused, silent, answer_lost, report_lost = (
        int.from_bytes(digest[at : at + 4]) / 2**32 for at in range(0, 4 * _DRAWS, 4)
    )
    disposition = _disposition(terms, kind)
    talks = disposition in (Disposition.ANSWERED, Disposition.VOICEMAIL)
    return Outcome(
        disposition,
        _between(terms.ringing_min_s, terms.ringing_max_s, ringing),
        _between(terms.talk_min_s, terms.talk_max_s, talk) if talks else 0.0,
        refused < terms.refusals,
        silent < terms.silence,
        answer_lost < terms.lost_answers,
        report_lost < terms.lost_reports,
    )


def _disposition(terms: CarrierTerms, draw: float) -> Disposition:
    weights = (
        (Disposition.ANSWERED, terms.answered),
        (Disposition.NO_ANSWER, terms.no_answer),
        (Disposition.BUSY, terms.busy),
        (Disposition.VOICEMAIL, terms.voicemail),
        (Disposition.FAILED, terms.failed),
    )
    left = draw * sum(weight for _, weight in weights)
    for disposition, weight in weights:
        if left < weight:
            return disposition
        left -= weight
    return next(kind for kind, weight in reversed(weights) if weight)  # Rounding, at the very end.


def _between(least: float, most: float, draw: float) -> float:
    return round(least + (most - least) * draw, 6)  # Whole microseconds, as times have them.
