"""Dialgate as a persistence module of the eventsourcing library, for reading.

`PERSISTENCE_MODULE=dialgate.persistence` lets a stock ProjectionRunner follow the log that
DIALGATE_DATA_DIR or DIALGATE_KAFKA_SERVERS names. The application's name says which partition:

    class Campaigns(Application[str]):
        name = "campaign.records/0"

Not offered: writing, process recorders, snapshots. A subscriber keeps its own position.
"""

from typing import Any, NoReturn

from eventsourcing.persistence import (
    ApplicationRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    Mapper,
    NotSupportedError,
    TrackingRecorder,
    Transcoder,
)

from campaigns.eventsourcing.mapper import FactMapper
from campaigns.eventsourcing.recorder import LogRecorder
from campaigns.records.topics import RECORD_TOPICS, Partition
from dialgate.logs import make_log
from dialgate.settings import PREFIX, ProcessSettings, misspelt


class Factory(InfrastructureFactory[TrackingRecorder]):
    """Makes recorders of the log's partitions, and closes those that it has made."""

    def __init__(self, env: Any) -> None:  # Any: a union of the library's own.
        super().__init__(env)
        self._made: list[LogRecorder] = []

    def application_recorder(self) -> ApplicationRecorder:
        """Return a recorder of the partition that the application is named after; it follows.

        Raises:
            InfrastructureFactoryError: no partition has that name, or a setting does not exist.
            OperationalError: the log cannot be reached.

        """
        if sentences := misspelt(self.env):
            raise InfrastructureFactoryError("; ".join(sentences))
        given = {
            name.upper().removeprefix(PREFIX).lower(): value
            for name, value in self.env.items()
            if name.upper().startswith(PREFIX)
        }
        fields = ProcessSettings.model_fields
        settings = ProcessSettings(**{k: v for k, v in given.items() if k in fields})  # type: ignore[arg-type]  # Text, as in the environment.
        recorder = LogRecorder(
            lambda: make_log(settings, exclusive=False, read_only=True),
            _partition(self.env.name),
        )
        recorder.open()
        self._made.append(recorder)
        return recorder

    def mapper(
        self,
        transcoder: Transcoder | None = None,
        mapper_class: type[Mapper[Any]] | None = None,  # Any: of UUIDs or of text.
    ) -> Mapper[Any]:
        """Return the facts' own Mapper and ignore MAPPER_TOPIC: no other can read the log."""
        return FactMapper(transcoder or self.transcoder())

    def tracking_recorder(
        self, tracking_recorder_class: type[TrackingRecorder] | None = None
    ) -> TrackingRecorder:
        """Return a view whose class takes no argument, such as one on the projector's store.

        Raises:
            InfrastructureFactoryError: no class is given; each view keeps its own data.

        """
        if tracking_recorder_class is None:
            raise InfrastructureFactoryError(
                "expected a class of views, found none: the log keeps no trackings"
                " (<PROJECTION>_PERSISTENCE_MODULE names where a view is kept)"
            )
        return tracking_recorder_class()

    def aggregate_recorder(self, purpose: str = "events") -> NoReturn:
        """Raise: there are no aggregates and no snapshots."""
        raise NotSupportedError(f"the log keeps no {purpose} of aggregates: it is for reading")

    def process_recorder(self) -> NoReturn:
        """Raise: a process would write."""
        raise NotSupportedError("the log is offered for reading; commands go to the command API")

    def close(self) -> None:
        """Close the log."""
        for recorder in self._made:
            recorder.close()


def _partition(name: str) -> Partition:
    topic, _, number = name.rpartition("/")
    if topic not in RECORD_TOPICS or not number.isdecimal():
        raise InfrastructureFactoryError(
            f"expected an application named after a partition, such as {RECORD_TOPICS[0]}/0,"
            f" found {name!r}"
        )
    return Partition(topic, int(number))
