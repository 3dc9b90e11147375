"""`dialgate secrets`: the master keys, and what they seal."""

from pathlib import Path
from typing import Annotated

import typer

from dialgate.verbs.verb import AsJson, checked_settings, run_verb

cli = typer.Typer(no_args_is_help=True, help="Look after the secrets that the master key seals.")


@cli.callback()
def about() -> None:
    """Look after the secrets that the master key seals."""


@cli.command()
def rotate(as_json: AsJson = False) -> None:
    """Seal all secrets by the newest master key, so that older ones can be dropped.

    Name the new key first, then the older ones, in DIALGATE_MASTER_KEY or in master.key. The
    embedded log is changed only while Dialgate is stopped, Kafka's at any time. Can be repeated.
    Exit code 1: something is left, and says why.
    """
    from dialgate.verbs.secrets import rotate as verb

    run_verb(verb.rotate(checked_settings(), as_json=as_json))


@cli.command("export")
def export_keys(
    path: Annotated[Path, typer.Argument(help="The new file.")],
) -> None:
    """Back up the keys of contacts, wrapped by the master key, while the system runs.

    The log without them is the history without the people. Back up the master key apart from both.
    """
    from dialgate.verbs.secrets import key_backup

    run_verb(key_backup.export_keys(checked_settings(), path))


@cli.command("import")
def import_keys(
    path: Annotated[Path, typer.Argument(help="The file that `dialgate secrets export` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Restore the keys of contacts that are missing, but of nobody who was forgotten since.

    Reads the log for that. The system may run meanwhile. Can be repeated.
    """
    from dialgate.verbs.secrets import key_backup

    run_verb(key_backup.import_keys(checked_settings(), path, as_json=as_json))
