"""A campaign's statuses, its moves, and from which status each move is legal. Pure."""

from enum import StrEnum


class Status(StrEnum):
    """A campaign's status. Source: contract 2."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Move(StrEnum):
    """A change that clients or the dialer may make to a campaign."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    COMPLETE = "complete"
    SCHEDULE = "schedule"
    UNSCHEDULE = "unschedule"
    BEGIN = "come due"
    END_RUN = "end a run"
    FAIL = "fail"
    REARM = "re-execute"
    UPDATE = "update"
    DELETE = "delete"
    IMPORT = "import"
    APPEND = "append"


# The legal moves: from which status each is allowed. Source: contract 2, and
# 9.19, 9.20, 9.22.
MOVES: dict[Move, frozenset[Status]] = {
    Move.START: frozenset({Status.DRAFT, Status.SCHEDULED, Status.PAUSED}),
    Move.PAUSE: frozenset({Status.RUNNING}),
    Move.RESUME: frozenset({Status.PAUSED}),
    Move.STOP: frozenset({Status.RUNNING, Status.PAUSED, Status.SCHEDULED}),
    Move.COMPLETE: frozenset({Status.RUNNING, Status.PAUSED}),
    Move.SCHEDULE: frozenset({Status.DRAFT, Status.SCHEDULED}),
    Move.UNSCHEDULE: frozenset({Status.SCHEDULED}),
    Move.BEGIN: frozenset({Status.SCHEDULED}),
    Move.END_RUN: frozenset({Status.RUNNING, Status.PAUSED}),
    Move.FAIL: frozenset({Status.SCHEDULED}),
    Move.REARM: frozenset({Status.COMPLETED, Status.CANCELLED, Status.FAILED}),
    Move.UPDATE: frozenset({Status.DRAFT, Status.PAUSED}),
    Move.DELETE: frozenset(Status) - {Status.RUNNING},
    Move.IMPORT: frozenset({Status.DRAFT, Status.SCHEDULED, Status.PAUSED}),
    Move.APPEND: frozenset({Status.DRAFT, Status.SCHEDULED, Status.RUNNING, Status.PAUSED}),
}
FINAL = frozenset({Status.COMPLETED, Status.CANCELLED, Status.FAILED})
