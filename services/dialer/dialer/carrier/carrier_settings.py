"""Every knob of the carrier, simulated or not. Set by DIALGATE_CARRIER_<NAME>; units last."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PositiveInt, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from campaigns.process.durations import SETTING_S_MAX
from campaigns.process.settings import EnvironmentSettings
from dialer.carrier.simulated.outcome import CarrierTerms

Percent = Annotated[float, Field(ge=0, le=100)]
AtOnce = Annotated[float, Field(ge=0, le=SETTING_S_MAX)]  # Seconds; 0: no wait.
Milliseconds = Annotated[float, Field(ge=0, le=1000 * SETTING_S_MAX)]


class CarrierSettings(EnvironmentSettings):
    """Which carrier rings, and how the simulated one behaves; its timeout is the dialer's."""

    model_config = SettingsConfigDict(
        env_prefix="DIALGATE_CARRIER_", frozen=True, allow_inf_nan=False
    )

    url: str | None = None  # Of a carrier process. None: simulated, in the dialer's process.
    callback_url: str | None = None  # Where it reaches this dialer. None: ends are asked for.
    secret: SecretStr | None = None  # Of a carrier process, at both ends. None: it asks for none.
    callback_allowed: str = ""  # Origins it may call back, with commas. Empty: loopback alone.
    check_s: float = Field(default=10.0, gt=0, le=300)  # How often terms and clock are compared.
    placing_max: PositiveInt = 100  # Calls on their way to the carrier at once.
    log: Path | None = None  # A JSON line per simulated ring, for auditors. None: no log.
    seed: int = 0  # With the call's id it decides each simulated call.
    setup_ms: Milliseconds = 20.0  # From taking a call to its ring.
    ringing_min_s: AtOnce = 0.1  # A phone rings at least this long.
    ringing_max_s: AtOnce = 0.5  # A phone rings at most this long.
    talk_min_s: AtOnce = 0.2  # Talk, also with a voicemail, lasts at least this long.
    talk_max_s: AtOnce = 2.0  # Talk lasts at most this long.
    answered_percent: Percent = 70.0  # Of calls. The five make 100.
    no_answer_percent: Percent = 12.0  # Of calls.
    busy_percent: Percent = 8.0  # Of calls.
    voicemail_percent: Percent = 5.0  # Of calls.
    failed_percent: Percent = 5.0  # Of calls: they ring, and break.
    refuses_late: bool = True  # Begins no ring after `ring_by`. False: as many real ones do.
    lookup_lag_s: AtOnce = 0.0  # A call taken more recently is not found.
    fault_answer_latency_s: AtOnce = 0.0  # From a ring's begin to the answer.
    fault_lost_answers_percent: Percent = 0.0  # Of calls: they ring, unanswered to the dialer.
    fault_refusals_percent: Percent = 0.0  # Of calls: a definite no.
    fault_silence_percent: Percent = 0.0  # Of calls: no answer, no ring, nothing known.
    fault_lost_reports_percent: Percent = 0.0  # Of calls: their end is not reported.

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Check what the knobs have to do with one another."""
        for name in ("url", "callback_url"):  # Not quoted: it may hold a password.
            if not (getattr(self, name) or "http://").startswith(("http://", "https://")):
                raise ValueError(
                    f"{name}: expected an address that begins with http:// or https://"
                )
        for name in ("ringing", "talk"):
            least, most = getattr(self, f"{name}_min_s"), getattr(self, f"{name}_max_s")
            if least > most:
                raise ValueError(f"{name}_min_s: expected at most {name}_max_s {most}, got {least}")
        total = (
            self.answered_percent
            + self.no_answer_percent
            + self.busy_percent
            + self.voicemail_percent
            + self.failed_percent
        )
        if abs(total - 100) > 1e-6:
            raise ValueError(f"expected the five dispositions to make 100 percent, got {total:g}")
        return self

    def callback_origins(self) -> frozenset[str]:
        """Return the origins that may be called back; an empty set means loopback."""
        origins = (one.strip().rstrip("/") for one in self.callback_allowed.split(","))
        return frozenset(filter(None, origins))

    def terms(self) -> CarrierTerms:
        """Return how the simulated carrier behaves."""
        return CarrierTerms(
            seed=self.seed,
            setup_s=self.setup_ms / 1000,
            ringing_min_s=self.ringing_min_s,
            ringing_max_s=self.ringing_max_s,
            talk_min_s=self.talk_min_s,
            talk_max_s=self.talk_max_s,
            answered=self.answered_percent / 100,
            no_answer=self.no_answer_percent / 100,
            busy=self.busy_percent / 100,
            voicemail=self.voicemail_percent / 100,
            failed=self.failed_percent / 100,
            refuses_late=self.refuses_late,
            lookup_lag_s=self.lookup_lag_s,
            answer_latency_s=self.fault_answer_latency_s,
            lost_answers=self.fault_lost_answers_percent / 100,
            refusals=self.fault_refusals_percent / 100,
            silence=self.fault_silence_percent / 100,
            lost_reports=self.fault_lost_reports_percent / 100,
        )
