"""How many calls a second does one dialer place, and what does a long list cost it in memory?

A `dialgate dialer` of its own on an embedded log, with the simulated carrier in its process and no
set-up, ringing or talk: only the dialer's work is left. Its processor time is measured, since the
command API and this benchmark share the machine. The list of a million is imported as CSV.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import httpx

from bench.table import Figure, Setup, show
from tests.support.client import API, Client
from tests.support.system import KEY, Process

CALLS, CAMPAIGNS = 8_000, 2
PENDING = 1_000_000
KNOBS = {
    "api_key": KEY, "lease_s": 2, "carrier_timeout_s": 5, "carrier_placing_max": 500,
    "carrier_setup_ms": 0, "carrier_ringing_min_s": 0, "carrier_ringing_max_s": 0,
    "carrier_talk_min_s": 0, "carrier_talk_max_s": 0, "import_max_mb": 200,
}  # fmt: skip
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def used(pid: int) -> tuple[float, float]:
    """Return a process's processor time in seconds, and its largest memory in MB."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak_kb = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) * TICK_S, int(peak_kb) / 1024


def done(rings: Path, wanted: int) -> None:
    """Wait until the carrier has recorded this many rings."""
    give_up_at = time.monotonic() + 300
    while not rings.exists() or rings.read_bytes().count(b"\n") < wanted:
        assert time.monotonic() < give_up_at, f"expected {wanted} rings in {rings}"
        time.sleep(0.05)


def measure(folder: Path, pending: int) -> list[Figure]:
    """Return calls a second of processor time, and memory with a long list."""
    rings = folder / "rings.jsonl"
    chosen = {**KNOBS, "data_dir": folder / "data", "carrier_log": rings}
    environment = dict(os.environ) | {f"DIALGATE_{n.upper()}": str(v) for n, v in chosen.items()}
    api, dialer = (Process(verb, folder, environment) for verb in ("command-api", "dialer"))
    try:
        api.start()
        dialer.start()
        with Client(api.url, api.url, KEY) as client:
            campaigns = [
                client.create(CALLS // CAMPAIGNS, concurrent=1000) for _ in range(CAMPAIGNS)
            ]
            before, began = used(dialer.pid)[0], time.monotonic()
            for campaign in campaigns:
                client.start(campaign)
            done(rings, CALLS)
            took, worked = time.monotonic() - began, used(dialer.pid)[0] - before
            print(f"{CALLS / took:.0f} calls/s on the wall clock", file=sys.stderr)
            long_list(client, api.url, pending)
        _, peak_mb = used(dialer.pid)
    finally:
        for process in (dialer, api):
            process.kill9()
    return [
        Figure(
            "dialer, calls a second of one core",
            "1/s",
            CALLS / worked,
            "≥ 1000",
            CALLS / worked >= 1000,
        ),
        Figure(
            f"dialer's memory, {pending:,} contacts pending", "MB", peak_mb, "≤ 300", peak_mb <= 300
        ),
    ]


def long_list(client: Client, url: str, pending: int) -> None:
    """Import a long list into a campaign, and start it, so that the dialer has folded it."""
    campaign = client.create(1, calls_per_minute=1)
    csv = b"phone_number,name\n" + b"".join(
        b"+1555%07d,Contact %d\n" % (n, n) for n in range(pending)
    )
    answer = httpx.post(
        f"{url}{API}/{campaign}/import-data", files={"file": ("long.csv", csv, "text/csv")},
        headers={"Authorization": f"Bearer {KEY}"}, timeout=900,
    )  # fmt: skip
    assert answer.status_code == 202, answer.text
    give_up_at = time.monotonic() + 900
    while client.command(f"/{campaign}/start").status_code != 200:  # Until the import is done.
        assert time.monotonic() < give_up_at, "the import did not end"
        time.sleep(0.5)
    time.sleep(5)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        figures = measure(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else PENDING)
        parts = "command API and dialer, a process each"
        show("dialer", figures, Setup(parts, "embedded", "client"))
