"""A line of the structured logs: which fields it has, and how it is written."""

import logging
import sys
from contextvars import ContextVar

import structlog

from campaigns.process.printable_text import clean

# The names of `extra` that become fields of a line.
FIELDS = frozenset({"campaign_id", "chunks", "import_id", "reason"})


def formatter(correlation_id: ContextVar[str], *, as_json: bool) -> logging.Formatter:
    """Return what writes the lines of all logs; the libraries' structlog takes the same path."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=FIELDS),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _correlation(correlation_id),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
    ]
    render: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _clean, render],
    )


def _correlation(current: ContextVar[str]) -> structlog.types.Processor:
    def add(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        if found := current.get():
            event.setdefault("correlation_id", found)
        return event

    return add


def _clean(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    for name, value in event.items():
        event[name] = clean(value) if isinstance(value, str | Exception) else value
    return event
