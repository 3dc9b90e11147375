"""Descriptions of a route's responses for the OpenAPI document: status, meaning, body."""

from typing import Any

from campaigns.http.door import TOO_OFTEN, UNAUTHORIZED

_DETAIL = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["detail"],
            "properties": {"detail": {"type": "string"}},
        }
    }
}
_UNAVAILABLE = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["detail", "may_still_take_effect"],
            "properties": {
                "detail": {"type": "string"},
                "may_still_take_effect": {"type": "boolean"},
            },
        }
    }
}

# The errors that any operation can answer besides its own. Source: contract 9.27.
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "Not in this state, or not with this input", "content": _DETAIL},
    401: {"description": UNAUTHORIZED, "content": _DETAIL},
    403: {"description": "The key's scope does not allow it", "content": _DETAIL},
    404: {"description": "No such campaign for this organization", "content": _DETAIL},
    413: {"description": "Over the limit", "content": _DETAIL},
    431: {"description": "The request's line and headers are over the limit", "content": _DETAIL},
    429: {"description": TOO_OFTEN, "content": _DETAIL},
    503: {
        "description": "The log, or the read side within its time, could not be reached",
        "content": _UNAVAILABLE,
    },
}


OUTDATED: dict[int | str, dict[str, Any]] = {
    412: {"description": "If-Match: the campaign has another version", "content": _DETAIL}
}
NO_KEY: dict[int | str, dict[str, Any]] = {
    409: {"description": "No master key seals secrets, or another one did", "content": _DETAIL}
}
Responses = dict[int | str, dict[str, Any]]  # Any: FastAPI's own words for responses.


def ok(*answers: str, status: int = 200, description: str = "Done") -> Responses:
    """Return the description of a route's success: one of these answers, by their models' names.

    By name, so that no process loads models that only the document needs (dialgate.application).
    """
    refs = [{"$ref": f"#/components/schemas/{answer}"} for answer in answers]
    schema = refs[0] if len(refs) == 1 else {"anyOf": refs}
    content = {"application/json": {"schema": schema}}
    return {status: {"description": description, "content": content}}


def accepted(answer: str) -> Responses:
    """Return the description of a route's 202, for `Prefer: respond-async`."""
    return ok(answer, status=202, description="Recorded; calls already requested may still begin")
