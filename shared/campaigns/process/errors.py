"""Operating and contract errors: the world misbehaved, or bytes are not what was agreed."""


class OperatingError(Exception):
    """Base: the world misbehaved. The shell retries within a bound, then answers 503."""

    may_still_take_effect: bool = False


class LogUnavailableError(OperatingError):
    """The log could not be reached in time; what was to be appended is not and will not be there."""  # noqa: E501


class UnreadableRecordError(OperatingError):
    """No reader could read what was to be appended; it is not and will not be in the log."""


class TooContendedError(OperatingError):
    """Every record of the last seconds was refused by the rule: others were always first."""


class OutcomeUnknownError(OperatingError):
    """The record was handed to the log and not read back in time; it may still take effect."""

    may_still_take_effect = True


class NotFreshError(OperatingError):
    """The read side did not reach the log's end in time."""


class StoreUnavailableError(OperatingError):
    """A database that a service keeps its views in could not be reached."""


class StoreUnreadableError(OperatingError):
    """A store, which is a cache of the log, has something in it that cannot be read back."""

    def __init__(self, whose: str, why: str) -> None:
        super().__init__(f"{whose} cannot be read from its store: {why}")


class CarrierUnavailableError(OperatingError):
    """The carrier did not answer, or not in a way that says what became of the request."""


class CarrierNonsenseError(CarrierUnavailableError):
    """The carrier did answer, and nothing of it can be used."""


class CarrierMisfitError(OperatingError):
    """The other dialers of the group have a carrier that knows nothing of ours."""

    def __init__(self, group: str, ours: str | None, theirs: str) -> None:
        super().__init__(
            f"the carrier of this dialer is {ours}, that of the others in the group {group} is "
            f"{theirs}, and neither knows of the other's calls: give all of them one carrier "
            "process (DIALGATE_CARRIER_URL), or stop the others first"
        )


class PartRunningError(OperatingError):
    """Another process runs this part on this data directory."""


class ContractError(Exception):
    """Bytes in our own log are not what was agreed: stop at this position, page, fix, restart."""


class LevelBeyondError(ContractError):
    """The log, or a record in it, needs a later version of this program."""


class SkippedMeanwhileError(OperatingError):
    """A record was skipped while this process ran: it begins anew, and passes over it."""


class LogCutError(ContractError):
    """A checkpoint lies beyond the log's end: records that were acknowledged are gone."""


class TopicMisfitError(ContractError):
    """An existing topic (or log file) does not have the partitions or settings asked for."""
