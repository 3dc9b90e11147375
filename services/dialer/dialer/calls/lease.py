"""May this call still begin? Pure arithmetic on clocks that cannot be set.

Source: ADR-0004, leases and which clock.
"""

from datetime import datetime, timedelta


def ring_by(requested_at: datetime, lease_s: float) -> datetime:
    """Return the wall-clock instant after which no ring may begin: for carrier and auditor."""
    return requested_at + timedelta(seconds=lease_s)


def may_begin(sent_at: float, lease_s: float, now: float) -> bool:
    """Say whether a call may be placed. Both times from CLOCK_BOOTTIME, seconds."""
    return now < sent_at + lease_s  # Computed as alarms are, so that rounding is the same.


def rang_late(sent_at: float, lease_s: float, carrier_timeout_s: float, now: float) -> bool:
    """Say whether a ring that is heard of now may have begun after barriers stopped to wait."""
    return now - sent_at > lease_s + carrier_timeout_s


def began_late(began_at: datetime, ring_by: datetime, carrier_timeout_s: float) -> bool:
    """Say whether a ring, by the carrier's own instant, began after every barrier had given up.

    Dialer's and carrier's clocks differ by less than the carrier timeout: a ring within its lease
    is never taken for a late one.
    """
    return began_at > ring_by + timedelta(seconds=carrier_timeout_s)


def not_found_counts_at(
    folded_at: float, lease_s: float, carrier_timeout_s: float, lookup_lag_s: float
) -> float:
    """Return from when on a carrier's "not found" is true: nobody can place the call then.

    Counted from when this process first folded the permission: a restart begins it again.
    """
    return folded_at + lease_s + carrier_timeout_s + lookup_lag_s
