"""What a stranger may write on campaign.records: each would stop a campaign if it were believed.

A whole record that stops a campaign is accepted by the rule; spoilt in one place it is no record.
"""

import json
from typing import Any

Json = dict[str, Any]  # Any: JSON.
HUGE_BYTES = 900_000  # What a topic takes, and far more than a record may weigh.


def stopping(campaign_id: int, version: int, record_id: str = "stranger") -> Json:
    """Return a record that stops a campaign, whole: accepted while its stream is at `version`."""
    stream, now = f"campaign/{campaign_id}", "2026-03-01T12:00:00Z"
    data = {"campaign_id": campaign_id, "reason": None, "stopped_at": now}
    return {
        "dialgate": 1,
        "id": record_id,
        "time": now,
        "source": "stranger",
        "actor": "stranger",
        "correlation_id": "stranger",
        "causation_id": None,
        "condition": {stream: version},
        "facts": [{"type": "campaign-stopped.v1", "stream": stream, "data": data}],
    }


def unknown(campaign_id: int, version: int) -> Json:
    """Return a record with a fact of a later version of the product."""
    record = stopping(campaign_id, version, "newer")
    record["facts"][0]["type"] = "campaign-halted.v9"
    return record


def garbage(campaign_id: int, version: int, elsewhere: int) -> dict[str, bytes | None]:
    """Return what is foreign, by what is wrong with it. `elsewhere`: of another partition."""
    whole = stopping(campaign_id, version)
    stream, fact = f"campaign/{campaign_id}", whole["facts"][0]
    text = json.dumps(whole).encode()

    def seen(versions: object) -> Json:
        return whole | {"condition": {stream: versions}}

    def but(**changes: object) -> Json:
        return whole | {"facts": [fact | changes]}

    spoilt: dict[str, Json | list[Json]] = {
        "an array of records": [whole],
        "no version of the rule": {name: whole[name] for name in whole if name != "dialgate"},
        "the rule's version true": whole | {"dialgate": True},
        "the rule's version 1.0": whole | {"dialgate": 1.0},
        "the rule's version a text": whole | {"dialgate": "1"},
        "an id that is a number": whole | {"id": 7},
        "no time": whole | {"time": None},
        "a cause that is a number": whole | {"causation_id": 7},
        "no condition": {name: whole[name] for name in whole if name != "condition"},
        "a condition without the stream": whole | {"condition": {}},
        "a condition that is a list": whole | {"condition": [stream, version]},
        "true for a version": seen(True),
        "a version that is a float": seen(float(version)),
        "a version that is a text": seen(str(version)),
        "a negative version": seen(-version),
        "a version beyond all": seen(10**30),
        "a guard of another partition": seen(version)
        | {"condition": {stream: version, f"campaign/{elsewhere}": 0}},
        "the stream of another partition": stopping(elsewhere, 0),
        "no facts": whole | {"facts": []},
        "facts that are no list": whole | {"facts": fact},
        "a fact that is a text": whole | {"facts": ["campaign-stopped.v1"]},
        "a fact whose data are a list": but(data=[campaign_id]),
        "a fact without a type": but(type=None),
        "a fact of an unread stream": but(stream=f"contacts/{campaign_id}"),
        "a second fact that is none": whole | {"facts": [fact, True]},
        "a key that is a text": whole | {"idempotency": "key"},
    }
    deep = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
    return {
        "nothing at all": None,
        "an empty value": b"",
        "no text": b"\x00\xff\xfe",
        "no JSON": b"stop it!",
        "JSON that breaks off": text[:-1],
        "two records in one": text * 2,
        "not UTF-8": text.replace(b"stranger", b"\xff\xfe"),
        "half a surrogate": text.replace(b"stranger", b"\\ud800"),
        "a number": b"1",
        "no number": text.replace(b'"dialgate": 1', b'"dialgate": NaN'),
        "nested deep": b'{"deep": ' + deep + b", " + text[1:],
        "nested deep, and never closed": b"[" * 100_000,
        "huge": b"x" * HUGE_BYTES,
        "huge, and JSON": json.dumps({"dialgate": "x" * HUGE_BYTES}).encode(),
    } | {what: json.dumps(found).encode() for what, found in spoilt.items()}
