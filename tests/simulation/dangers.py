"""What must have happened somewhere in a run of many worlds, or it proves nothing."""

from collections import Counter

from tests.simulation.plan import KINDS

DANGERS = (
    "refused: call-requested.v1 because campaign had moved on",  # Permissions refused by a pause.
    "refused: call-requested.v1 because contact had moved on",  # … by another dialer's.
    "refused: call-started.v1 because contact had moved on",
    "refused: call-ended.v1 because contact had moved on",
    "refused: call-abandoned.v1 because contact had moved on",
    "refused: campaign-completed.v1 because contacts had moved on",  # Contacts at the last moment.
    "refused: campaign-completed.v1 because campaign had moved on",
    "refused: campaign-paused.v1 because campaign had moved on",
    "refused: campaign-resumed.v1 because contacts had moved on",
    "a dead sender's record was refused",
    "a dead sender's record was accepted",
    "appeared twice",
    "never appeared",
    "acknowledgement lost",
    "the log stalled",
    "a reader lagged behind",
    "a process was killed",
    "restarted from a checkpoint",
    "restarted from nothing",
    "a process was asked to stop",
    "a process was held: freeze",
    "a process was held: stall",
    "a process was held: sleep",
    "a ring was refused as late",
    "a ring was tardy",
    "a ring after a pause, excused",
    "a look-up found: Rung",
    "a look-up found: Taken",
    "a look-up found: Ended",
    "a look-up found: NotFound",
    "a look-up found: RefusedLate",
    "CallStarted by another dialer",
    "CallEnded by another dialer",
    "CallAbandoned by another dialer",
    "abandoned: not-running",
    "abandoned: not-placed",
    "abandoned: lease-over",
    "abandoned: refused-late",
    "abandoned: rang-late",
    "abandoned: shutting-down",
    "ended: unknown",
    "a pause found permissions open",
    "a pause was answered by the bound",
    "a pause was answered 400",
    "a stop found permissions open",
    "a pause in the tail of a run",
    "update was done",
    "delete was done",
    "re-execute was done",
    "schedule was done",
    "unschedule was done",
    "a campaign began by itself",
    "import was done",
    "a contact was given up: fewer attempts",
    "contacts came at the moment of completion",
    "a key was recognised",
    "503 that had an effect",
    "503 that never had an effect",
    "a contact was rung again, as it should be",
    "views were compared with views made anew",
    "resumed while a pause settled",
    "update was already so",
    "contacts was already so",
    "the log was cut and has grown again: noticed under way",
    "the log was cut and has grown again: noticed at a start",
    "pause/resume cycles",
    *(f"fault: {kind}" for kind in KINDS),
)


def missing(arose: "Counter[str]") -> list[str]:
    """Return the dangers that never arose: what was promised about them was never tried."""
    return [danger for danger in DANGERS if not arose[danger]]
