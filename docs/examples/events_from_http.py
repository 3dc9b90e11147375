"""Events over HTTP in ten lines: server-sent events that resume where the program was.

`DIALGATE_API_KEY=try-me python docs/examples/events_from_http.py http://127.0.0.1:8000` with httpx.
Killed and started again, it goes on after the cursor that it stored: the last event may come again.
"""

import json
import os
import sys
from pathlib import Path

import httpx

PLACE, NEXT = Path("cursor.txt"), Path("cursor.next")
headers = {
    "Authorization": f"Bearer {os.environ['DIALGATE_API_KEY']}",
    "Accept": "text/event-stream",
}
if PLACE.exists():
    headers["Last-Event-ID"] = PLACE.read_text()
cursor = ""
with httpx.stream("GET", f"{sys.argv[1]}/api/v1/events", headers=headers, timeout=30) as answer:
    for line in answer.raise_for_status().iter_lines():
        if line.startswith("id: "):
            cursor = line[4:]
        elif line.startswith("data: "):
            event = json.loads(line[6:])
            print(event["subject"], event["type"], event["data"], flush=True)
            NEXT.write_text(cursor)
            NEXT.replace(PLACE)  # At once: a kill leaves the one or the other.
