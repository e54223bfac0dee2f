"""The demo ends by itself without a terminal, leaves no process behind, and its answers are what the data says."""

import csv
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import PROGRAMS, ROOT, Checks
from oracle import DAY_US, cents, us

EXAMPLE = os.path.join(ROOT, "examples", "complete_journey")


def servers():
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink(f"/proc/{name}/exe").startswith(os.path.join(PROGRAMS, "korreld")):
                    found.add(name)
            except OSError:
                pass
    return found


def asked(output, sentence):
    """The number printed behind a question."""
    match = re.search(re.escape(sentence) + r"\s+(\d+)\s*$", output, re.M)
    return int(match.group(1)) if match else None


def expected(folder):
    read = lambda name: list(csv.DictReader(open(os.path.join(folder, name + ".csv"), newline="")))
    households, purchases, campaigns, redemptions = map(read, ("households", "purchases", "campaigns", "redemptions"))
    now = us("2018-01-02T00:00:00Z")
    everybody = {row["household_id"] for table in (households, purchases, campaigns, redemptions) for row in table}
    spend_90d, last_week, campaigns_of, last_purchase = {}, set(), {}, {}
    for row in purchases:
        time = us(row["transaction_timestamp"])
        last_purchase[row["household_id"]] = max(time, last_purchase.get(row["household_id"], 0))
        if time > now - 90 * DAY_US:
            spend_90d[row["household_id"]] = spend_90d.get(row["household_id"], 0) + cents(row["sales_value"])
        if time > now - 7 * DAY_US:
            last_week.add(row["household_id"])
    for row in campaigns:
        campaigns_of[row["household_id"]] = campaigns_of.get(row["household_id"], 0) + 1
    week_later = now + 7 * DAY_US
    redeemed = {row["household_id"] for row in redemptions}
    return {
        "Everybody": len(everybody),
        "Married home owners with children": sum(row["marital_status"] == "Married" and row["home_ownership"] == "Homeowner" and
                                                 row["kids_count"] in ("1", "2", "3+") for row in households),
        "Home ownership known to be something else, the unknown left out": sum(row["home_ownership"] not in ("", "Homeowner") for row in households),
        "Not known to be home owners, the unknown included": len(everybody) - sum(row["home_ownership"] == "Homeowner" for row in households),
        "Bought something in the last week": len(last_week),
        "Spent 150 dollars or more in 90 days": sum(cents >= 15_000 for cents in spend_90d.values()),
        "Left the segment within the week": sum(now < time + 30 * DAY_US <= week_later for time in last_purchase.values()),
        "Still in it": sum(time + 30 * DAY_US > week_later for time in last_purchase.values()),
        "Three campaigns or more, no coupon ever redeemed": sum(count >= 3 and who not in redeemed for who, count in campaigns_of.items()),
    }


def main():
    checks = Checks()
    before = servers()
    result = subprocess.run([os.path.join(EXAMPLE, "demo"), PROGRAMS], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    checks.equal("exit code of the demo" + (": " + result.stdout[-1500:] + result.stderr[-1500:] if result.returncode else ""), result.returncode, 0)
    checks.equal("no server is left behind", servers() - before, set())
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(EXAMPLE, "prepare.py"), folder], check=True)
        for sentence, count in expected(folder).items():
            checks.equal(sentence, asked(result.stdout, sentence), count)
    checks.finish()


if __name__ == "__main__":
    main()
