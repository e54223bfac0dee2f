"""A year of grocery shopping replayed with 32 computed attributes and 202 live segments, against a recomputation from the raw rows.

At chosen instants every household's every value and membership is compared; the stream of entries and exits, read from its beginning by
`korrel segment watch`, must alternate, never go back in time for a profile, and add up to the members; the same replay on other numbers of
shards gives every profile the same stream. JOURNEY_INSTANTS sets the number of instants (default 6; the long run takes 50).
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import PROGRAMS, ROOT, Checks, Server
from journey_oracle import ATTRIBUTES, DECAYING, EXACT, SEGMENTS, TIMES, At, Household
from oracle import DAY_US, cents, us

EXAMPLE = os.path.join(ROOT, "examples", "complete_journey")
START, END = us("2017-01-01"), us("2018-01-02")
# Edges first: both clock changes of New York, a quarter in UTC that is no quarter there yet, the last microsecond of an hour, year's end.
CHOSEN = [us(text) for text in ("2017-03-12T07:00:00Z", "2017-07-01T00:00:00Z", "2017-11-05T05:59:59.999999Z", "2017-12-31T23:59:59.999999Z", "2018-01-02T00:00:00Z")]


def instants(count):
    """Those, and others spread over the year at odd microseconds."""
    rest = max(count - len(CHOSEN), 0)
    return sorted(CHOSEN[:count] + [START + (END - START) * (i + 1) // (rest + 1) + 987_654_321 * (i % 7) for i in range(rest)])


def load_households(folder):
    households = {}
    order = 0

    def of(name):
        return households.setdefault(name, Household())

    null = lambda text: text if text != "" else None
    for row in csv.DictReader(open(os.path.join(folder, "households.csv"), newline="")):
        of(row["household_id"]).known = {name: null(value) for name, value in row.items() if name != "household_id"}
    for row in csv.DictReader(open(os.path.join(folder, "purchases.csv"), newline="")):
        order += 1
        of(row["household_id"]).purchases.append({
            "t": us(row["transaction_timestamp"]), "order": order, "sales": cents(row["sales_value"]), "basket": Fraction(row["basket_id"]),
            "department": null(row["department"]), "category": null(row["category"]), "brand": null(row["brand"])})
    for row in csv.DictReader(open(os.path.join(folder, "campaigns.csv"), newline="")):
        order += 1
        of(row["household_id"]).campaigns.append({"t": us(row["start_date"]), "order": order})
    for row in csv.DictReader(open(os.path.join(folder, "redemptions.csv"), newline="")):
        order += 1
        of(row["household_id"]).redemptions.append({"t": us(row["redemption_date"]), "order": order})
    for household in households.values():
        household.sort()
    return households


def write_catalog(path):
    with open(path, "w", encoding="utf-8") as file:
        # Event types in this order: events of one instant are ordered by it.
        file.write("time_zone: UTC\nevents:\n  - {name: campaign}\n  - {name: redemption}\n  - name: purchase\n    properties: "
                   "{basket_id: decimal(0), sales_value: decimal(2), department: string, category: string, brand: string}\n")
        file.write("attributes:\n")
        for name in ("age", "income", "home_ownership", "marital_status", "household_size", "household_comp", "kids_count"):
            file.write(f"  - {{name: {name}, type: string}}\n")
        for name, (expression, _) in ATTRIBUTES.items():
            file.write(f"  - name: {name}\n    is: |-\n      {expression}\n")
        file.write("segments:\n")
        for name, (expression, _) in SEGMENTS.items():
            file.write(f"  - name: {json.dumps(name)}\n    where: |-\n      {expression}\n")


def write_slices(folder, times):
    """The event files cut at the instants, so that every event is imported once, in order."""
    columns = {"purchases": "transaction_timestamp", "campaigns": "start_date", "redemptions": "redemption_date"}
    for name, column in columns.items():
        with open(os.path.join(folder, name + ".csv"), newline="") as file:
            reader = csv.DictReader(file)
            rows = [(us(row[column]), row) for row in reader]
        for i, high in enumerate(times):
            low = times[i - 1] if i else -1
            part = [row for t, row in rows if low < t <= high]
            with open(os.path.join(folder, f"{name}.{i}.csv"), "w", newline="") as file:
                writer = csv.DictWriter(file, reader.fieldnames)
                writer.writeheader()
                writer.writerows(part)
    return columns


class Watcher:
    """`korrel segment watch` of all segments from the beginning, into a file."""

    def __init__(self, server, folder):
        self.path = os.path.join(folder, "stream.jsonl")
        self.file = open(self.path, "w")
        self.process = subprocess.Popen([os.path.join(PROGRAMS, "korrel"), "--server", server.address, "--output", "json", "segment", "watch", *SEGMENTS,
                                         "--from", "0"], stdout=self.file, stderr=subprocess.PIPE, text=True)

    def read(self, until_quiet=2.0):
        """All changes, when none came for a while; then the watch is ended by SIGTERM and must end well."""
        size, since = -1, time.monotonic()
        while time.monotonic() - since < until_quiet:
            now = os.path.getsize(self.path)
            if now != size:
                size, since = now, time.monotonic()
            time.sleep(0.1)
        self.process.terminate()
        errors = self.process.communicate(timeout=30)[1]
        self.file.close()
        if self.process.returncode != 0:
            raise AssertionError(f"korrel segment watch ended with {self.process.returncode}: {errors}")
        return [json.loads(line) for line in open(self.path)]


# A slice of a file may hold values that look narrower than those of the next.
TYPES = {"purchases": "product_id:string,store_id:string", "campaigns": "campaign:string,kind:string", "redemptions": "coupon_upc:string,campaign_id:string"}


def replay(server, folder, times, columns, at_instant):
    server.ok("apply", os.path.join(folder, "catalog.yaml"))
    server.ok("import", "profiles", os.path.join(folder, "households.csv"), "--id", "household_id")
    for i, now in enumerate(times):
        for name, kind in (("campaigns", "campaign"), ("redemptions", "redemption"), ("purchases", "purchase")):
            path = os.path.join(folder, f"{name}.{i}.csv")
            if sum(1 for _ in open(path)) > 1:
                server.ok("import", "events", path, "--type", kind, "--id", "household_id", "--time", columns[name], "--round", "--types", TYPES[name])
        server.ok("clock", "advance", rfc3339(now))
        at_instant(now)


def rfc3339(t):
    import datetime
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=t)).isoformat() + "Z"


def household_of(row):
    return [text for text in row["identifiers"] if text.startswith("household_id:")][0].split(":", 1)[1]


def exact(value):
    return None if value is None else Fraction(str(value))


def check_values(checks, server, households, now, alive):
    """Every value of every household alive, by one query over all attributes and by their columns' order."""
    different = []
    names = list(ATTRIBUTES)
    lines = server.ok("--output", "json", "query", "true", "--select", ",".join(names)).splitlines()
    rows = {household_of(row): row for row in (json.loads(line, parse_float=str) for line in lines)}
    checks.equal(f"at {rfc3339(now)}: who is known", set(rows), set(alive))
    for household, at in alive.items():
        for name in names:
            want, got = at.value(name), rows[household].get(name)
            if name in EXACT:
                same = exact(got) == want
            elif name in TIMES:
                same = (None if got is None else us(got)) == want
            elif name in DECAYING:
                same = abs(float(got) - want) <= 1e-9 * max(1.0, abs(want))
            elif isinstance(want, float):
                same = got is not None and float(got) == want
            else:
                same = (int(got) if isinstance(want, int) and not isinstance(want, bool) and got is not None else got) == want
            if not same:
                different.append((household, name, got, want))
    checks.equal(f"at {rfc3339(now)}: {len(alive)} households x {len(names)} attributes", different[:5], [])


def check_members(checks, server, now, alive):
    different = []
    for name in SEGMENTS:
        want = {household for household, at in alive.items() if at.member(name)}
        got = {household_of(json.loads(line)) for line in server.ok("--output", "json", "segment", "members", name).splitlines()}
        if got != want:
            different.append((name, len(got), len(want), sorted(got ^ want)[:3]))
    checks.equal(f"at {rfc3339(now)}: members of {len(SEGMENTS)} segments", different[:5], [])


def alive_at(households, now):
    """Demographics are imported first; the others begin with their first event."""
    return {name: At(h, now) for name, h in households.items()
            if h.known or any(events and events[0]["t"] <= now for events in (h.purchases, h.campaigns, h.redemptions))}


def check_stream(checks, changes, alive):
    """Entries and exits alternate, times never go back for a profile, and what is left are the members."""
    inside, times, wrong, positions_back, last = {}, {}, [], 0, 0
    for change in changes:
        key = (change["segment"], change["profile"])
        entered = change["change"] == "entered"
        if inside.get(key, False) == entered or us(change["time"]) < times.get(change["profile"], START - 10**18):
            wrong.append(change)
        inside[key] = entered
        times[change["profile"]] = us(change["time"])
        positions_back += int(change["position"]) < last
        last = int(change["position"])
    checks.equal("entries and exits alternate, in order of time for every profile", wrong[:3], [])
    checks.equal("positions never go back", positions_back, 0)
    counts = {}
    for (segment, _), member in inside.items():
        counts[segment] = counts.get(segment, 0) + member
    want = {name: sum(at.member(name) for at in alive.values()) for name in SEGMENTS}
    checks.equal("entries minus exits are the members", {name: counts.get(name, 0) for name in SEGMENTS}, want)


def by_profile(changes):
    """What each profile went through: the same on any number of shards. Only what shares an instant has no order of its own."""
    streams = {}
    for change in changes:
        streams.setdefault(change["profile"], []).append((change["time"], change["segment"], change["change"], change["cause"]))
    return streams


def main():
    checks = Checks()
    times = instants(int(os.environ.get("JOURNEY_INSTANTS", "6")))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(EXAMPLE, "prepare.py"), folder], check=True)
        households = load_households(folder)
        write_catalog(os.path.join(folder, "catalog.yaml"))
        columns = write_slices(folder, times)
        streams = {}
        for shards in (8, 1, 64):
            with Server("--clock", "replay", "--shards", str(shards)) as server:
                watcher = None

                def compare(now):
                    nonlocal watcher
                    watcher = watcher or Watcher(server, folder)
                    if shards != 8:
                        return
                    alive = alive_at(households, now)
                    check_values(checks, server, households, now, alive)
                    check_members(checks, server, now, alive)

                begun = time.monotonic()
                replay(server, folder, times, columns, compare)
                changes = watcher.read()
                print(f"{shards} shards: {len(changes):,} entries and exits, {time.monotonic() - begun:.1f} s")
                check_stream(checks, changes, alive_at(households, times[-1]))
                streams[shards] = by_profile(changes)
        for shards in (1, 64):
            different = [(profile, [pair for pair in zip(streams[8][profile], streams[shards].get(profile, [])) if pair[0] != pair[1]][:2])
                         for profile in streams[8] if streams[8][profile] != streams[shards].get(profile)]
            checks.equal(f"every profile's stream on {shards} shards is that on 8", different[:3], [])
    checks.finish()


if __name__ == "__main__":
    main()
