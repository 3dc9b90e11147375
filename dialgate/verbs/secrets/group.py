"""`dialgate secrets`: the master keys, and what they seal."""

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
