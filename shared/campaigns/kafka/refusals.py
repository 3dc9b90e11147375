"""Which answers to a produce request mean that its records are not in the log, and never will be.

Exact, or a 503 would lie: what is not listed here leaves the fate of a record unknown.
"""

import aiokafka.errors
from aiokafka.errors import (
    BrokerResponseError,
    ClusterAuthorizationFailedError,
    InvalidProducerEpoch,
    InvalidTimestampError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    PolicyViolationError,
    ProducerFenced,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownProducerId,
    UnsupportedForMessageFormatError,
)


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]  # aiokafka has no types.
    """A record does not pass the broker's checks. The client does not know the code."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker found that a record is not valid."


aiokafka.errors.kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)

# The leader checks these before it writes. NOT_ENOUGH_REPLICAS is no end: the client goes on
# trying. NOT_ENOUGH_REPLICAS_AFTER_APPEND and UNKNOWN_SERVER_ERROR may come after the writing.
# Source: Kafka's ReplicaManager.appendRecords, Partition.appendRecordsToLeader, LogValidator,
# ProducerAppendInfo; KafkaApis.handleProduceRequest for the rights.
_BEFORE_WRITING = (
    ClusterAuthorizationFailedError,
    InvalidProducerEpoch,
    InvalidRecordError,
    InvalidTimestampError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    PolicyViolationError,
    ProducerFenced,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownProducerId,
    UnsupportedForMessageFormatError,
)


def never_there(failure: BaseException, tries: int) -> bool:
    """Say whether records are surely not in the log. `tries`: how often they were sent.

    Who was sent twice may be there by the first time, whatever the answer to the second is.
    """
    if not isinstance(failure, KafkaError):
        return False
    return tries == 0 or (tries == 1 and isinstance(failure, _BEFORE_WRITING))
