"""What a process exits with, as `dialgate --help` says."""

DONE, WENT_WRONG, MISUSED = 0, 1, 2
