"""Which answers to a produce request prove that its records will never be in the log.

A wrong entry here would make a 503 false: any answer not listed leaves the outcome unknown.
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
    """A record fails the broker's validation. aiokafka does not know this error code."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker found that a record is not valid."


aiokafka.errors.kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)

# The leader checks these before it writes. NOT_ENOUGH_REPLICAS is not final: the client retries.
# NOT_ENOUGH_REPLICAS_AFTER_APPEND and UNKNOWN_SERVER_ERROR may follow a write.
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
    """Say whether records are certainly not in the log. `tries`: how often they were sent.

    Records sent twice may have been written the first time, whatever the second answer is.
    """
    if not isinstance(failure, KafkaError):
        return False
    return tries == 0 or (tries == 1 and isinstance(failure, _BEFORE_WRITING))
