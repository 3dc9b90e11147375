"""Every knob that is a number has an end: what cannot be waited for is refused at the start."""

import pytest
from pydantic import ValidationError

from dialgate.settings import knobs, misfits

FLOATS = [
    (variable, kind, name)
    for variable, kind, name in knobs()
    if "float" in str(kind.model_fields[name].annotation)
]


@pytest.mark.parametrize(("variable", "kind", "name"), FLOATS, ids=[one[0] for one in FLOATS])
@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "1e309", "1e30", "-1", "1e308"])
def test_a_number_without_an_end_is_no_setting(
    monkeypatch: pytest.MonkeyPatch, variable: str, kind: type, name: str, text: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ValidationError) as no:
        kind()
    (sentence, *_) = misfits(no.value)
    assert sentence.startswith(f"{variable}: ")
