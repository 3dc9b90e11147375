"""The names of the parts that a process can run; each has a lock of its own in a data directory."""

COMMAND_API, DIALER, PROJECTOR, CARRIER = "command-api", "dialer", "projector", "carrier"
PARTS = (COMMAND_API, DIALER, PROJECTOR, CARRIER)
