"""The composition root: builds the parts that a verb runs.

Each part is imported where it is built, so that a process loads only the libraries that it needs.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fastapi import APIRouter

from campaigns.log.port import EventLog
from campaigns.part import Part
from campaigns.process.clock import SystemClock
from campaigns.process.data_dir import name_of
from campaigns.stores.host import Host
from campaigns.webhooks.webhook_settings import WebhookSettings
from command_api.settings import CommandApiSettings
from dialer.carrier.carrier_settings import CarrierSettings
from dialer.carrier.port import Carrier
from dialer.carrier.simulated.simulated_carrier import SimulatedCarrier
from dialer.settings import DialerSettings
from dialgate.application import make_app
from dialgate.connections.bounds import Bounds, bounds_of
from dialgate.logs import lock_part, make_log, master_keys
from dialgate.part_names import COMMAND_API, DIALER, PARTS, PROJECTOR
from dialgate.process import Process, opened
from dialgate.settings import ProcessSettings
from projector.settings import ProjectorSettings

DIALERS = "dialgate-dialers"  # The group in which dialers share the partitions, on Kafka.


@dataclass
class Composition:
    """Builds parts on one log and one clock."""

    settings: ProcessSettings
    event_log: EventLog
    show_key: Callable[[str], None]

    def __post_init__(self) -> None:
        self.clock = SystemClock()
        self.extras: list[AbstractAsyncContextManager[object]] = []
        self.routers: list[APIRouter] = []
        self.host: Host | None = None  # The command API of this process, if it runs one.

    def command_api(self) -> Part:
        """Return the command API."""
        from command_api.service import CommandApi

        self.host = made = CommandApi(
            self.event_log,
            self.clock,
            CommandApiSettings(),
            self.settings.data_dir,
            show_key=self.show_key,
            master_keys=master_keys(self.settings),
            webhooks=WebhookSettings(),
        )
        return made

    def projector(self) -> Part:
        """Return the projector; it publishes to campaign.events when the log is Kafka."""
        from projector.service import Projector

        events = None
        if self.settings.kafka_servers:
            from campaigns.kafka.events import KafkaEvents
            from campaigns.kafka.kafka_log import KafkaLog

            assert isinstance(self.event_log, KafkaLog), (
                "make_log gives a KafkaLog when there are servers"
            )
            events = KafkaEvents(self.event_log.kafka)
        return Projector(
            self.event_log,
            self.clock,
            ProjectorSettings(),
            self.settings.data_dir,
            events,
            master_keys=master_keys(self.settings),
            webhooks=WebhookSettings(),
        )

    def dialer(self) -> Part:
        """Return the dialer with its carrier; on Kafka it shares the partitions with others."""
        from dialer.carrier.http.callback_route import callback_router
        from dialer.carrier.http.client import HttpCarrier
        from dialer.service import Dialer

        settings, carrier = DialerSettings(), self._carrier()
        dialer = Dialer(
            self.event_log,
            self.clock,
            settings,
            self.settings.data_dir,
            carrier,
            host=self.host,
        )
        if isinstance(carrier, HttpCarrier):
            self.routers.append(callback_router(carrier))
        if self.settings.kafka_servers:
            from campaigns.kafka.kafka_log import KafkaLog
            from campaigns.kafka.membership import Membership

            assert isinstance(self.event_log, KafkaLog), (
                "make_log gives a KafkaLog when there are servers"
            )
            membership = Membership(
                self.event_log.kafka,
                DIALERS,
                dialer.assigned,
                session_timeout_s=settings.session_timeout_s,
                member=name_of(self.settings.data_dir, DIALER),
                carrier=lambda: carrier.id,
                carrier_check_s=CarrierSettings().check_s,
                on_refused=dialer.refused,
            )
            dialer.shares_partitions(membership.troubles)
            self.extras.append(opened(membership))
        return dialer

    def _carrier(self) -> Carrier:
        settings, dialer = CarrierSettings(), DialerSettings()
        if settings.url is None:
            return simulated_carrier(self.settings, settings, self.clock)
        from dialer.carrier.http.client import HttpCarrier

        return HttpCarrier(
            settings.url,
            settings.callback_url or self._address(),
            dialer.carrier_timeout_s,
            self.clock,
            lease_s=dialer.lease_s,
            placing_max=settings.placing_max,
            check_s=settings.check_s,
            secret=settings.secret,
        )

    def bounds(self, names: Sequence[str]) -> Bounds:
        """Return the limits on clients, after the descriptors that the parts need.

        Raises:
            OSError: the system allows too few descriptors.

        """
        carrier = CarrierSettings()
        calls = carrier.placing_max if DIALER in names and carrier.url else 0
        head_max_bytes = CommandApiSettings().limits().head_max_bytes
        return bounds_of(self.settings, head_max_bytes, kept=calls)

    def _address(self) -> str | None:
        """Return the address at which a carrier reaches us, or None while the port is not known."""
        host, port = self.settings.host, self.settings.port
        return f"http://{f'[{host}]' if ':' in host else host}:{port}" if port else None


def simulated_carrier(
    process: ProcessSettings, settings: CarrierSettings, clock: SystemClock
) -> SimulatedCarrier:
    """Return the simulated carrier, with its file in the data directory."""
    return SimulatedCarrier(
        process.data_dir / "carrier.db",
        settings.terms(),
        clock,
        settings.log,
        placing_max=settings.placing_max,
    )


def compose(
    names: Sequence[str], settings: ProcessSettings, show: Callable[[str], None]
) -> Process:
    """Lock the parts and build the process. Nothing is opened yet.

    Raises:
        PartRunningError: another process runs one of the parts on this data directory.
        OSError: the system allows too few descriptors, or the data directory cannot be used.

    """
    for name in names:
        lock_part(settings, name)
    event_log = make_log(settings, exclusive=set(PARTS) <= set(names))
    made = Composition(settings, event_log, lambda key: show(f"API key, shown this once: {key}"))
    makers: dict[str, Callable[[], Part]] = {
        COMMAND_API: made.command_api,
        PROJECTOR: made.projector,
        DIALER: made.dialer,
    }
    parts = [makers[name]() for name in names if name in makers]
    app = make_app(parts, made.routers)
    return Process(
        settings,
        event_log,
        parts,
        app,
        made.bounds(names),
        lambda address: show(
            f"dialgate {'+'.join(p.name for p in parts)} on {address} (pid {os.getpid()})"
        ),
        made.extras,
    )
