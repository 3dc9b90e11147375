"""Which parts of one process share a fold."""

from pathlib import Path

from campaigns.log.port import MemoryLog
from dialgate.composition import Composition
from dialgate.settings import ProcessSettings


def test_a_dialer_shares_the_fold_of_the_command_api_of_its_process(tmp_path: Path) -> None:
    made = Composition(ProcessSettings(data_dir=tmp_path), MemoryLog(), lambda key: None)
    api, projector, dialer = made.command_api(), made.projector(), made.dialer()
    assert dialer.reader is api.reader
    assert projector.reader is not api.reader


def test_a_dialer_alone_has_a_fold_of_its_own(tmp_path: Path) -> None:
    settings = ProcessSettings(data_dir=tmp_path)
    host = Composition(settings, MemoryLog(), lambda key: None).command_api()
    alone = Composition(settings, MemoryLog(), lambda key: None).dialer()
    assert alone.reader is not host.reader
