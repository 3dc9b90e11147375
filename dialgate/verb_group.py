"""The verbs of the command line, each imported when it is called: a start loads no more than one.

The table says what `dialgate --help` needs of them; a test compares it with the verbs themselves.
"""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class VerbEntry(NamedTuple):
    """Where a verb is, and the first line of its help."""

    module: str  # Has `command`, or `cli` if it has verbs of its own.
    summary: str


VERBS = {
    "log": VerbEntry(
        "dialgate.verbs.history.log",
        "Print the records of the log, each with its ruling and the reason for it.",
    ),
    "timeline": VerbEntry(
        "dialgate.verbs.history.timeline",
        "Tell the story of a campaign: who did what, the receipts of its pauses, its calls over"
        " time.",
    ),
    "replay": VerbEntry(
        "dialgate.verbs.replay",
        "Print every record with its ruling, as earlier versions did: the older name of `log`.",
    ),
    "what-if": VerbEntry(
        "dialgate.verbs.what_if",
        "Run a recorded campaign once more with other settings, and show both side by side.",
    ),
    "export": VerbEntry(
        "dialgate.verbs.evidence.export",
        "Export the log into one file, which every verb can read with --from.",
    ),
    "replay-events": VerbEntry(
        "dialgate.verbs.replay_events",
        "Deliver the events of the past again: to a webhook, a topic, a file or standard output.",
    ),
    "state": VerbEntry(
        "dialgate.verbs.inspection.state", "Print a campaign as the API shows it, now or as it was."
    ),
    "verify": VerbEntry(
        "dialgate.verbs.verify",
        "Judge the whole log by the invariants of docs/architecture.md, and print its digests.",
    ),
    "why": VerbEntry(
        "dialgate.verbs.inspection.why",
        "Say why a contact is not called now, or was not at an instant, and what became of it.",
    ),
    "rebuild": VerbEntry(
        "dialgate.verbs.rebuild",
        "Make the projector's views anew from the log, beside those in service, and compare them.",
    ),
    "import": VerbEntry(
        "dialgate.verbs.evidence.import_log",
        "Make a log of an export, in the data directory or on Kafka, as the settings say.",
    ),
    "erase": VerbEntry(
        "dialgate.verbs.personal.erase",
        "Erase a contact, all contacts with a number, or those of a campaign.",
    ),
    "adopt": VerbEntry(
        "dialgate.verbs.home.adopt", "Let a copied log dial from now on: its home is here."
    ),
    "retire": VerbEntry(
        "dialgate.verbs.home.retire",
        "Let this log take no more changes and dial no more: its home is nowhere.",
    ),
    "compare": VerbEntry(
        "dialgate.verbs.compare",
        "Fold the log with another build and with this one, and print what differs.",
    ),
    "seal": VerbEntry(
        "dialgate.verbs.evidence.seal",
        "Sign all that is in the log, chained to the last seal in the file.",
    ),
    "proof": VerbEntry(
        "dialgate.verbs.evidence.proof",
        "Write the records about one number or contact, with what proves them against a seal.",
    ),
    "secrets": VerbEntry(
        "dialgate.verbs.secrets.group", "Look after the secrets that the master key seals."
    ),
    "keys": VerbEntry("dialgate.verbs.keys", "Create, list and revoke API keys."),
}


class VerbGroup(TyperGroup):
    """The commands that were registered, and behind them the verbs of the table."""

    def __init__(self, **given: Any) -> None:  # Any: as Typer passes them.
        super().__init__(**given)
        self.commands = _Commands(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # Any: Typer keeps Click private.
        """List the verbs in the help, and import none of them."""
        listed = {
            name: TyperCommand(name, help=VERBS[name].summary)
            if name in VERBS
            else self.commands[name]
            for name in self.commands
        }
        summary_chars = formatter.width - 6 - max(map(len, listed))  # As Typer itself.
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, one.get_short_help_str(summary_chars)) for name, one in listed.items()]
            )


class _Commands(MutableMapping[str, Any]):  # Any: Typer keeps Click's Command private.
    """Commands by name; a verb of the table is imported when it is first asked for."""

    def __init__(self, there: MutableMapping[str, Any]) -> None:
        self._there = there

    def __getitem__(self, name: str) -> Any:
        if name not in self._there and name in VERBS:
            self._there[name] = _loaded(name)
        return self._there[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._there[name] = command

    def __delitem__(self, name: str) -> None:
        del self._there[name]

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in self._there if name not in VERBS)
        yield from VERBS

    def __len__(self) -> int:
        return len(self._there.keys() | VERBS.keys())


def _loaded(name: str) -> Any:
    module = import_module(VERBS[name].module)
    made = typer.Typer(add_completion=False, rich_markup_mode=None)
    if (own := getattr(module, "cli", None)) is not None:
        made.add_typer(own, name=name)
    else:
        made.command(name)(module.command)
    made.callback()(lambda: None)  # So that it is a group.
    return typer.main.get_group(made).commands[name]
