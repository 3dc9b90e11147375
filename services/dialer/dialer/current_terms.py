"""The terms that a dialer's reactor works by: its settings, and what its carrier declares now."""

from campaigns.domain.carrier_refusals import RefusalLimits
from dialer.carrier.port import Carrier
from dialer.reactor.state import Terms
from dialer.settings import DialerSettings


class CurrentTerms:
    """One dialer's terms: its settings, which are fixed, and its carrier's, which may change."""

    def __init__(self, settings: DialerSettings, carrier: Carrier) -> None:
        self._settings, self._carrier = settings, carrier

    def now(self) -> Terms:
        """Return the terms as they are now."""
        settings, carrier = self._settings, self._carrier
        return Terms(
            carrier=carrier.id,
            lease_s=settings.lease_s,
            carrier_timeout_s=settings.carrier_timeout_s,
            refuses_late=carrier.refuses_late,
            clocks_agree=carrier.clocks_agree,
            lookup_lag_s=carrier.lookup_lag_s,
            silence_s=carrier.silence_s,
            placing_max=carrier.placing_max,
            resend_s=settings.resend_s,
            resend_max_s=settings.resend_max_s,
            recover_poll_s=settings.recover_poll_s,
            schedule_grace_s=settings.schedule_grace_s,
            unplaced=RefusalLimits(settings.unplaced_max, settings.unplaced_away_max),
        )

    def differ_from(self, terms: Terms) -> bool:
        """Say whether the carrier declares other terms now. Asked at every reaction."""
        carrier = self._carrier
        return (
            terms.carrier != carrier.id
            or terms.refuses_late != carrier.refuses_late
            or terms.clocks_agree != carrier.clocks_agree
            or terms.lookup_lag_s != carrier.lookup_lag_s
            or terms.silence_s != carrier.silence_s
            or terms.placing_max != carrier.placing_max
        )
