"""Which mutations `dialgate verify` cannot find, and why: what breaks is not in log and rings.

Of every other one it finds a violation, in a world that the page names (test_mutations.py).
"""

from collections.abc import Mapping

ANSWERS = "needs the answers that clients were given"
STORES = "needs the services' stores"
RUNNING = "needs to see the processes run"
CLAIMS = "needs what the carrier said of itself, and when"
HEARD = "the late ring is shown; that somebody heard of it is in no log"
REASONS = "what a dialer says of its reasons is in no log"
LINES = (
    "how many calls are open at once is no invariant: two dialers may share a campaign for moments"
)

BEYOND: Mapping[str, str] = {
    "no catching up before a no": ANSWERS,
    "already so is answered without catching up": ANSWERS,
    "what was folded is not compared": RUNNING,
    "who follows looks ahead alone": RUNNING,
    "a level is taken for raised": "the log was raised in the end; when is told by no common clock",
    "a skipped record counts where it was read": STORES,
    "stores keep what was skipped": STORES,
    "nobody passes over what was skipped": RUNNING,
    "nobody deletes what an erasure left": "needs the store of keys",
    "no barrier": ANSWERS,
    "a second pause is refused without the barrier": ANSWERS,
    "the barrier waits by its own terms": ANSWERS,
    "the barrier has no bound": ANSWERS,
    "the receipt is strict whatever was permitted": ANSWERS,
    "nobody hears that the brokers refuse": ANSWERS,
    "what is not read back is said not to count": ANSWERS,
    "no lease": "the carrier refuses late rings; when it was asked, the dialer's own clock tells",
    "no hanging up": "that a late call was left to ring is in no log",
    "no word of late rings": HEARD,
    "a due CallLate dies with its dialer": HEARD,
    "terms are read once": CLAIMS,
    "strict although clocks differ": CLAIMS,
    "strict although nobody knows the clocks": CLAIMS,
    "an exception in a reaction is only logged": RUNNING,
    "who cannot be placed does not rest": "how long a contact rests is no invariant of the page,"
    " and is told by several dialers' clocks",
    "a gate names the wrong instant": REASONS,
    "a gate is shut although it is open": REASONS,
    "the reactor takes one more than there is room": LINES,
    "an idle campaign gives no reason": REASONS,
}
