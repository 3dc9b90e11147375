"""How templates are rendered, by example."""

import pytest

from command_api.templates.worker import RESULT_CHARS_MAX, environment, render

WITHIN = environment()


def text(template: str, **variables: object) -> str | None:
    return render(WITHIN, template, variables).get("rendered")


def wrong(template: str, **variables: object) -> str | None:
    return render(WITHIN, template, variables).get("error")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("Hi {{ name }}", "Hi Ann"),
        ("{{ city|default('your town') }}", "your town"),
        ("{{ phone_number|phone_format }}", "(555) 123-4567"),
        ("{{ full|title_case }}", "Ann O'hara"),
        ("{{ name|upper }} {{ name|lower }}", "ANN ann"),
        ("{{ company }}, {{ assistant_name }}", "our company, your assistant"),
        ("{{ nobody }}!", "!"),
        ("{% for one in (1, 2) %}{{ one }}{% endfor %}", "12"),
        ("no variable", "no variable"),
    ],
)
def test_a_template_is_rendered(template: str, expected: str) -> None:
    given = {"name": "Ann", "phone_number": "+15551234567", "full": "ann o'hara", "company": None}
    assert text(template, **given) == expected


def test_a_number_of_another_country_stays_as_it_is() -> None:
    for number in ("+4930123456", "112", "", "+15551234567890"):
        assert text("{{ n|phone_format }}", n=number) == number


@pytest.mark.parametrize(
    "template",
    [
        "{{ name",
        "{% if %}",
        "{{ name|nonsense }}",
        "{{ ''.__class__.__mro__ }}{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{% include 'x' %}",
        "{{ 1 // 0 }}",
        "{{ range(10 ** 9) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    ],
)
def test_a_mistake_is_said_in_a_sentence(template: str) -> None:
    found = wrong(template)
    assert found
    assert "\n" not in found


def test_a_long_result_is_cut_off_while_it_grows() -> None:
    loop = "{% for n in range(99999) %}{{ 'x' * 99 }}{% endfor %}"
    assert wrong(loop) == "the result is too long"
    assert text("{{ 'x' * n }}", n=RESULT_CHARS_MAX) is not None


def test_half_a_character_is_replaced() -> None:
    assert text("{{ '\\ud800' }}") == "?"
