"""Events over HTTP in ten lines: server-sent events that resume where the program was.

`DIALGATE_API_KEY=try-me python docs/examples/events_from_http.py http://127.0.0.1:8000` needs
nothing but Python. Killed and started again, it goes on after the cursor that it stored: the last
event may come again.
"""

import json
import os
import sys
from pathlib import Path
from urllib.request import Request, urlopen

PLACE, NEXT = Path("cursor.txt"), Path("cursor.next")
headers = {
    "Authorization": f"Bearer {os.environ['DIALGATE_API_KEY']}",
    "Accept": "text/event-stream",
}
if PLACE.exists():
    headers["Last-Event-ID"] = PLACE.read_text()
cursor = ""
with urlopen(Request(f"{sys.argv[1]}/api/v1/events", headers=headers), timeout=30) as answer:
    for line in answer:  # Of bytes: a text's splitlines() would also cut at U+2028 in a name.
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "id":
            cursor = value
        elif name == "data":
            event = json.loads(value)
            print(event["subject"], event["type"], event["data"], flush=True)
            NEXT.write_text(cursor)
            NEXT.replace(PLACE)  # At once: a kill leaves the one or the other.
