"""The metrics of a process: its own counters, and the state of its parts at this moment."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from campaigns.domain.campaigns import Campaigns
from campaigns.gates.gates import IDLE
from campaigns.part import Part
from campaigns.process.clock import Clock, SystemClock
from campaigns.process.metrics import REGISTRY


class _Parts(Collector):
    """Reads the parts at each scrape, so that hot paths count nothing twice."""

    def __init__(self, parts: Sequence[Part], now: datetime) -> None:
        self._parts, self._now = parts, now

    def collect(self) -> Iterable[Metric]:
        """Yield rulings, positions, open permissions and late calls, a part at a time."""
        rulings = CounterMetricFamily(
            "dialgate_rulings", "Records by how the rule found them.", labels=["part", "ruling"]
        )
        positions = GaugeMetricFamily(
            "dialgate_position", "How far a part has folded.", labels=["part", "partition"]
        )
        lag = GaugeMetricFamily(
            "dialgate_lag_records",
            "How far a part was behind when last looked.",
            labels=["part", "partition"],
        )
        waits = GaugeMetricFamily(
            "dialgate_lag_seconds",
            "How long the first record that a part has not folded has waited.",
            labels=["part", "partition"],
        )
        permissions = GaugeMetricFamily(
            "dialgate_open_permissions", "CallRequested that are not resolved.", labels=["part"]
        )
        late = CounterMetricFamily(
            "dialgate_late_calls", "Calls that rang when they should not have.", labels=["part"]
        )
        difference = GaugeMetricFamily(
            "dialgate_carrier_clock_difference_seconds",
            "The carrier's clock minus ours, as measured; absent while it is not known.",
            labels=["part"],
        )
        strict = GaugeMetricFamily(
            "dialgate_carrier_strict",
            "1 while the carrier is known to refuse late rings, by a clock that agrees with ours.",
            labels=["part"],
        )
        idle = GaugeMetricFamily(
            "dialgate_campaigns_idle",
            "Running campaigns of the dialer's that ask for no call now, by the gate that is shut.",
            labels=["part", "gate"],
        )
        now = self._now
        for part in self._parts:
            if (shut := getattr(part, "idle", None)) is not None:
                counts = Counter(no.reason for no in shut.values())
                for reason in IDLE:
                    idle.add_metric([part.name, reason.value], counts[reason])
            if (carrier := getattr(part, "carrier", None)) is not None:
                strict.add_metric([part.name], carrier.refuses_late)
                if carrier.clock_difference_s is not None:
                    difference.add_metric([part.name], carrier.clock_difference_s)
            for name in ("accepted", "refused", "foreign"):
                rulings.add_metric([part.name, name], getattr(part.reader.counts, name))
            for partition, position in part.reader.visible.items():
                positions.add_metric([part.name, str(partition)], position)
            for partition, behind in part.reader.behind.lag(part.reader.visible, now).items():
                lag.add_metric([part.name, str(partition)], behind.records)
                waits.add_metric([part.name, str(partition)], behind.seconds)
            campaigns = getattr(part, "campaigns", None)
            if isinstance(campaigns, Campaigns):
                permissions.add_metric([part.name], campaigns.permissions)
                late.add_metric([part.name], campaigns.late_calls)
        found = (rulings, positions, lag, waits, permissions, late, difference, strict, idle)
        return (*found, _copies(self._parts), _webhooks(self._parts))


def _copies(parts: Sequence[Part]) -> Metric:
    """Return for each part whether its log is a copy."""
    found = GaugeMetricFamily(
        "dialgate_read_only",
        "1 while the log is a copy, which takes no changes and does not dial.",
        labels=["part"],
    )
    for part in parts:
        found.add_metric([part.name], part.reader.home.read_only is not None)
    return found


def _webhooks(parts: Sequence[Part]) -> Metric:
    """Return how many webhooks each projector holds, by status."""
    found = GaugeMetricFamily(
        "dialgate_webhooks",
        "Webhooks that a projector delivers to, by their status.",
        labels=["part", "status"],
    )
    for part in parts:
        if (deliverer := getattr(part, "deliverer", None)) is not None:
            for status, count in deliverer.counts().items():
                found.add_metric([part.name, status], count)
    return found


def exposition(parts: Sequence[Part], clock: Clock | None = None) -> tuple[bytes, str]:
    """Return the metrics as text, and its content type. `clock` None: the machine's."""
    registry = CollectorRegistry()
    registry.register(_Parts(parts, (clock or SystemClock()).now()))
    return generate_latest(REGISTRY) + generate_latest(registry), CONTENT_TYPE_LATEST
