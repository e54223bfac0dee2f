"""One million profiles of 20 attributes and five million events through the real programs: memory, load time, latency.

usage: python3 million.py PROGRAMS_FOLDER BENCH_FOLDER [PROFILES] [DATA_FOLDER]

PROGRAMS_FOLDER holds korreld and korrel, BENCH_FOLDER holds call_latency. Loads what generate.py writes through `korrel import`, checks
counts against the files, then measures the six-predicate count through gRPC, back to back and after 1.05 s of silence.
"""

import csv
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SIX = ("country in ('NL', 'BE', 'DE') and tier != 'basic' and is_member = true and device = 'mobile' and age between 25 and 45 and "
       "spend >= 25.00")


def expected_count(path):
    with open(path, newline="", encoding="ascii") as file:
        return sum(row["country"] in ("NL", "BE", "DE") and row["tier"] != "basic" and row["is_member"] == "true" and row["device"] == "mobile" and
                   25 <= int(row["age"]) <= 45 and float(row["spend"]) >= 25 for row in csv.DictReader(file))


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        values = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status.read(), re.M))
    return {name: int(value) / 1024 for name, value in values.items()}


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    programs, bench = sys.argv[1:3]
    profiles = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
    with tempfile.TemporaryDirectory() as scratch:
        data = sys.argv[4] if len(sys.argv) > 4 else os.path.join(scratch, "data")
        if not os.path.exists(os.path.join(data, "orders.csv")):
            subprocess.run([sys.executable, os.path.join(HERE, "generate.py"), data, str(profiles)], check=True)
        port = os.path.join(scratch, "port")
        server = subprocess.Popen([os.path.join(programs, "korreld"), "--in-memory", "--listen", "127.0.0.1:0", "--port-file", port],
                                  stderr=open(os.path.join(scratch, "log"), "wb"))
        try:
            while not (os.path.exists(port) and os.path.getsize(port)):
                time.sleep(0.05)
            address = "127.0.0.1:" + open(port, encoding="ascii").read().strip()
            korrel = [os.path.join(programs, "korrel"), "--server", address]
            for what, arguments in [("profiles", ["profiles", os.path.join(data, "profiles.csv"), "--id", "crm"]),
                                    ("events", ["events", os.path.join(data, "orders.csv"), "--type", "order", "--id", "crm", "--time", "time",
                                                "--message-id", "message"])]:
                start = time.monotonic()
                subprocess.run([*korrel, "import", *arguments], check=True, stdout=subprocess.DEVNULL)
                print(f"import of {what}: {time.monotonic() - start:.1f} s; resident now and at most: {resident_mib(server.pid)} MiB")
            want = expected_count(os.path.join(data, "profiles.csv"))
            got = int(subprocess.run([*korrel, "count", SIX], check=True, capture_output=True, text=True).stdout)
            total = int(subprocess.run([*korrel, "count", "count(order) = 5"], check=True, capture_output=True, text=True).stdout)
            if (got, total) != (want, profiles):
                sys.exit(f"wrong answers: {got} instead of {want}, {total} with five orders instead of {profiles}")
            latency = os.path.join(bench, "call_latency")
            for name, calls, idle in [("six predicates, back to back", 500, 0), ("six predicates, after 1.05 s of silence", 10, 1050)]:
                result = subprocess.run([latency, address, SIX, str(calls), str(idle), str(want)], check=True, capture_output=True, text=True)
                print(f"{name}: {result.stdout.strip()}")
            result = subprocess.run([latency, address, "true", "10", "1050", str(profiles)], check=True, capture_output=True, text=True)
            print(f"count of everybody, after 1.05 s of silence: {result.stdout.strip()}")
        finally:
            server.terminate()
            server.wait(timeout=60)


if __name__ == "__main__":
    main()
