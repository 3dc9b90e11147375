"""Operating errors (the environment fails) and contract errors (bytes break the contract)."""


class OperatingError(Exception):
    """Base class: the environment fails. The shell retries within a bound, then answers 503."""

    may_still_take_effect: bool = False


class LogUnavailableError(OperatingError):
    """The log was not reached in time; the record to append is not and will not be in it."""


class ReadOnlyError(LogUnavailableError):
    """The log is not at home here: a copy takes no changes (ADR-0040)."""


class UnreadableRecordError(OperatingError):
    """No reader could read the record to append; it is not and will not be in the log."""


class TooContendedError(OperatingError):
    """The rule refused every record of the last seconds: others were always first."""


class OutcomeUnknownError(OperatingError):
    """The record was handed to the log and not read back in time; it may still take effect."""

    may_still_take_effect = True


class NotFreshError(OperatingError):
    """The read side did not reach the log's end in time."""


class StoreUnavailableError(OperatingError):
    """The database that holds a service's views could not be reached."""


class StoreElsewhereError(OperatingError):
    """A store is not at the place where its one writer left it."""


class StoreUnreadableError(OperatingError):
    """A store, which is a cache of the log, has a row that cannot be read back."""

    def __init__(self, whose: str, why: str) -> None:
        super().__init__(f"{whose} cannot be read from its store: {why}")


class CarrierUnavailableError(OperatingError):
    """The carrier did not answer, or its answer does not tell the outcome of the request."""


class CarrierNonsenseError(CarrierUnavailableError):
    """The carrier answered, and no part of the answer can be used."""


class CarrierMisfitError(OperatingError):
    """The group's other dialers use a carrier that does not know this dialer's calls."""

    def __init__(self, group: str, ours: str | None, theirs: str) -> None:
        super().__init__(
            f"the carrier of this dialer is {ours}, that of the others in the group {group} is "
            f"{theirs}, and neither knows of the other's calls: give all of them one carrier "
            "process (DIALGATE_CARRIER_URL), or stop the others first"
        )


class PartRunningError(OperatingError):
    """Another process runs this part on this data directory."""


class ContractError(Exception):
    """Bytes in our own log break the contract: stop at this position, page, fix, restart."""


class LevelBeyondError(ContractError):
    """The log, or a record in it, needs a later version of this program."""


class SkippedMeanwhileError(OperatingError):
    """A record was skipped while this process ran: restart and pass over it."""


class LogCutError(ContractError):
    """Records that were acknowledged, and folded, are no longer in the log."""


class EventsCutError(ContractError):
    """campaign.events is not the topic that was published to, or has lost its end."""


class TopicMisfitError(ContractError):
    """An existing topic (or log file) does not have the partitions or settings asked for."""


class ExportUnreadableError(ContractError):
    """A file is no export, or not the whole of one, or of a later version, or was altered."""


class SealUnreadableError(ContractError):
    """A file is no seal, proof or key, or is none of ours."""
