"""The lists' keys on Kafka: a compacted topic. How long forgetting takes: key_topic."""

import logging

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from campaigns.kafka.clients import Kafka
from campaigns.kafka.keys.key_reader import KeyReader
from campaigns.kafka.keys.key_topic import ROLL_MS, make_and_check_keys, there
from campaigns.kafka.keys.key_writer import KeyWriter
from campaigns.kafka.keys.topic_keys import TopicKeys
from campaigns.process.errors import LogUnavailableError
from campaigns.process.observability import limit_repetitions
from campaigns.records.topics import CONTACT_KEYS
from campaigns.secrets.key_place import KNOB
from campaigns.secrets.master_key import MasterKeyError

logger = logging.getLogger(__name__)
limit_repetitions(logger)


class KafkaKeys(TopicKeys):
    """The keys of one log on Kafka."""

    def __init__(self, kafka: Kafka, deadline_s: float = 10.0, roll_ms: int = ROLL_MS) -> None:
        """Store the settings. `roll_ms`: of a topic that is made (ROLL_MS but for tests)."""
        self.topic, self._roll_ms = kafka.topic(CONTACT_KEYS), roll_ms
        super().__init__(
            KeyReader(kafka, self.topic, deadline_s),
            KeyWriter(kafka, self.topic, deadline_s),
            roll_ms / 1_000,
        )

    async def open(
        self,
        admin: AIOKafkaAdminClient,
        replication: int | None,
        brokers: int,
        sealed: bool,  # There is a master key.
        read_only: bool,
    ) -> None:
        """Have a place for keys, if there is a master key, and follow it.

        Raises:
            MasterKeyError: there is none, but contacts were encrypted: others would be in clear.
            TopicMisfitError: the topic could lose keys, or forgets too late.
            KafkaError, LogUnavailableError: the cluster did not answer.

        """
        if sealed:
            if not read_only:
                await self.make(admin, replication, brokers)
                self.follow()
            await self.look(admin)
        elif not read_only and await self.any_there(admin):
            raise MasterKeyError(
                f"expected {KNOB}, by which the keys of contacts in {self.topic} are wrapped,"
                " found none: nothing was changed"
            )

    async def make(self, admin: AIOKafkaAdminClient, replication: int | None, brokers: int) -> None:
        """Create the topic if it is missing, and check it.

        Who lacks the right goes on: other parts may have it, and whoever needs a key says so.

        Raises:
            TopicMisfitError: it could lose keys, or forgets too late.

        """
        try:
            await make_and_check_keys(admin, self.topic, replication, brokers, self._roll_ms)
        except (KafkaError, OSError, TimeoutError) as exc:
            logger.warning("%s cannot be made or looked at: %s", self.topic, exc)

    async def look(self, admin: AIOKafkaAdminClient) -> None:
        """Read what there is, if this client may: whoever needs a key says why it is not."""
        try:
            await self.any_there(admin)
        except (KafkaError, OSError, LogUnavailableError) as exc:
            logger.warning("%s", exc)
            self.note_unread(str(exc))

    async def any_there(self, admin: AIOKafkaAdminClient) -> bool:
        """Say whether there is any key. Raises: KafkaError, LogUnavailableError."""
        if not await there(admin, self.topic):
            return False
        await self.refresh()
        return bool(self.key_ids())
