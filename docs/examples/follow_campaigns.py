"""Follow campaigns from a program of your own: what happened last to each, kept in its database.

`DIALGATE_DATA_DIR=data python docs/examples/follow_campaigns.py` follows the embedded log;
DIALGATE_KAFKA_SERVERS that on Kafka. Killed and started again, it goes on where its view ends.
One runner follows one partition: run one for each that the log has (1 embedded, 12 on Kafka).
"""

from eventsourcing.application import Application
from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.sqlite import SQLiteTrackingRecorder

from campaigns.eventsourcing.mapper import StreamedFact


class Campaigns(Application[str]):
    name = "campaign.records/0"  # The partition to follow.


class LastFacts(SQLiteTrackingRecorder):
    def construct_create_table_statements(self) -> list[str]:
        made = "create table if not exists last_facts (stream text primary key, fact text)"
        return [*super().construct_create_table_statements(), made]

    def keep(self, stream: str, fact: str, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as tx:  # View and tracking move together.
            self._insert_tracking(tx, tracking)
            tx.execute("replace into last_facts values (?, ?)", (stream, fact))


class Watch(Projection[LastFacts]):
    def process_event(self, domain_event: StreamedFact, tracking: Tracking) -> None:
        print(tracking.notification_id, domain_event.originator_id, domain_event.fact, flush=True)
        self.view.keep(domain_event.originator_id, domain_event.fact.TYPE, tracking)


ENVIRONMENT = {
    "PERSISTENCE_MODULE": "dialgate.persistence",  # Where Campaigns come from: the log,
    "WATCH_PERSISTENCE_MODULE": "eventsourcing.sqlite",  # and where Watch keeps its view.
    "WATCH_SQLITE_DBNAME": "last_facts.db",
}

if __name__ == "__main__":
    with ProjectionRunner(
        application_class=Campaigns,
        projection_class=Watch,
        view_class=LastFacts,
        env=ENVIRONMENT,
    ) as runner:
        runner.run_forever()
