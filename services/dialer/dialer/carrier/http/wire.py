"""The JSON of the carrier process and its adapter. No HTTP."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter

from campaigns.domain.facts import Disposition
from dialer.carrier.port import CallOrder, Ended, Found, NoRing, NotFound, RefusedLate, Rung, Taken
from dialer.carrier.validation import DAY_S

CARRIER = (
    "Dialgate-Carrier"  # In a request: the addressed carrier. In a response: the one that answers.
)
CALLBACK_PATH = "/carrier/events/"  # Of a dialer; its token follows.
CarrierId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class Order(BaseModel):
    """The body of PUT /calls/{id}: ring this contact once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    campaign_id: PositiveInt
    contact_id: PositiveInt
    run: PositiveInt
    attempt: PositiveInt
    to: str  # E.164.
    variables: dict[str, str] = Field(default_factory=dict)
    ring_by: AwareDatetime
    callback_url: str | None = None  # Gets the call's end. None: no callback.

    def call(self, call_id: str) -> CallOrder:
        """Return the order as the port has it."""
        return CallOrder(
            call_id,
            self.campaign_id,
            self.contact_id,
            self.run,
            self.attempt,
            self.to,
            self.variables,
        )


class About(BaseModel):
    """The response to GET /: the carrier's terms."""

    name: str
    id: CarrierId | None = None  # None: the carrier has no id.
    refuses_late: bool
    lookup_lag_s: Annotated[float, Field(ge=0, le=DAY_S)] | None
    silence_s: Annotated[float, Field(gt=0, le=DAY_S)]
    now: AwareDatetime  # By the carrier's clock.


class HomeRefusal(BaseModel):
    """The body of a 409: another home of the log places calls, and this one's are not taken."""

    detail: str
    generation: int  # The other's.


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class TakenAnswer(_Answer):
    """Known, and not ringing yet."""

    state: Literal["taken"] = "taken"

    def found(self) -> Found:
        """Return it as the port has it."""
        return Taken()


class RingingAnswer(_Answer):
    """The ring has begun."""

    state: Literal["ringing"] = "ringing"
    began_at: AwareDatetime

    def found(self) -> Found:
        """Return it as the port has it."""
        return Rung(self.began_at)


class EndedAnswer(_Answer):
    """It rang and is over."""

    state: Literal["ended"] = "ended"
    began_at: AwareDatetime
    ended_at: AwareDatetime
    disposition: Disposition
    duration_s: Annotated[float, Field(ge=0, le=DAY_S, allow_inf_nan=False)]  # Of talk.
    error: str | None = None

    def found(self) -> Ended:
        """Return it as the port has it."""
        return Ended(self.began_at, self.ended_at, self.disposition, self.duration_s, self.error)


class EndedEvent(EndedAnswer):
    """The body of a callback."""

    call_id: str


class RefusedLateAnswer(_Answer):
    """It never rang: `ring_by` had passed."""

    state: Literal["refused-late"] = "refused-late"

    def found(self) -> Found:
        """Return it as the port has it."""
        return RefusedLate()


class NoRingAnswer(_Answer):
    """A definite no."""

    state: Literal["no-ring"] = "no-ring"
    reason: str

    def found(self) -> Found:
        """Return it as the port has it."""
        return NoRing(self.reason)


class NotFoundAnswer(_Answer):
    """There is no such call. Comes with status 404."""

    state: Literal["not-found"] = "not-found"

    def found(self) -> Found:
        """Return it as the port has it."""
        return NotFound()


Answer = Annotated[
    TakenAnswer | RingingAnswer | EndedAnswer | RefusedLateAnswer | NoRingAnswer | NotFoundAnswer,
    Field(discriminator="state"),
]
ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)


def answer(found: Found) -> Answer:
    """Return the JSON model of an answer of the port."""
    match found:
        case Taken():
            return TakenAnswer()
        case Rung(began_at):
            return RingingAnswer(began_at=began_at)
        case Ended(began_at, ended_at, disposition, duration_s, error):
            return EndedAnswer(
                began_at=began_at,
                ended_at=ended_at,
                disposition=disposition,
                duration_s=duration_s,
                error=error,
            )
        case RefusedLate():
            return RefusedLateAnswer()
        case NoRing(reason):
            return NoRingAnswer(reason=reason)
        case NotFound():
            return NotFoundAnswer()


def event(call_id: str, ended: Ended) -> EndedEvent:
    """Return the JSON model of a callback."""
    spelt = answer(ended)
    assert isinstance(spelt, EndedAnswer), "an end is an EndedAnswer"
    return EndedEvent(call_id=call_id, **spelt.model_dump())
