"""Renders templates for command_api.templates.renderer, in a process of its own that can be killed.

Templates are user input: Jinja2's sandbox keeps them from other objects, but not from running for
ever or filling the memory. Reads a JSON object a line, writes one a line.
"""

import contextlib
import json
import re
import resource
import signal
import sys
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY_MAX_BYTES = 512 * 2**20  # Of this process, Python itself included.
RESULT_CHARS_MAX = 100_000
REASON_CHARS_MAX = 200
_TOO_LONG = "the result is too long"

# Always defined. Source: contract 1.3 row 18.
SYSTEM = {"assistant_name": "your assistant", "company": "our company", "name": "there"}
_US = re.compile(r"(?:\+?1)?([2-9][0-9]{2})([0-9]{3})([0-9]{4})", re.ASCII)


def phone_format(number: object) -> str:
    """Format a US number as `(555) 123-4567`; return any other as it is."""
    text = str(number)
    found = _US.fullmatch(re.sub(r"[^0-9+]", "", text))
    return f"({found[1]}) {found[2]}-{found[3]}" if found else text


def title_case(text: object) -> str:
    """Capitalise each word."""
    return " ".join(word.capitalize() for word in str(text).split(" "))


def environment() -> ImmutableSandboxedEnvironment:
    """Return the environment of templates: no loader, and the documented filters."""
    made = ImmutableSandboxedEnvironment(autoescape=False)  # Speech, no HTML.
    made.filters["phone_format"] = phone_format
    made.filters["title_case"] = title_case
    return made


def render(
    within: ImmutableSandboxedEnvironment, template: str, variables: dict[str, Any]
) -> dict[str, str]:
    """Return `{"rendered": …}`, or `{"error": …}` with the reason. Any: what JSON has."""
    given = {name: value for name, value in variables.items() if value is not None}
    pieces, length = list[str](), 0
    try:
        for piece in within.from_string(template).generate(**{**SYSTEM, **given}):
            pieces.append(piece)
            length += len(piece)
            if length > RESULT_CHARS_MAX:
                return {"error": _TOO_LONG}
        text = "".join(pieces)  # A template can write half a surrogate pair: no JSON.
        return {"rendered": text.encode(errors="replace").decode()}
    except TemplateError as exc:
        reason = exc.message or type(exc).__name__
    except MemoryError:
        pieces.clear()
        reason = "it needs too much memory"
    except RecursionError:
        reason = "it is nested too deeply"
    except Exception as exc:  # Whatever a template raises is a mistake in the template.
        reason = f"{type(exc).__name__}: {exc}"
    return {"error": " ".join(reason.split())[:REASON_CHARS_MAX]}


def main() -> None:
    """Render until the input ends. The one argument: how long one template may take, seconds."""
    alarm_s = float(sys.argv[1])
    with contextlib.suppress(OSError, ValueError):  # Not every system supports the limit.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
    within = environment()
    _say({"ready": "yes"})
    for line in sys.stdin.buffer:
        request = json.loads(line)
        # The renderer kills this process earlier; the alarm does if the renderer has died.
        signal.setitimer(signal.ITIMER_REAL, alarm_s)
        answer = render(within, request["template"], request["variables"])
        signal.setitimer(signal.ITIMER_REAL, 0)
        _say(answer)


def _say(answer: dict[str, str]) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
