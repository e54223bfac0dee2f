"""Half a million lines of a web shop, returns included: exact money, anonymous invoices, text, sets of countries; against SQLite.

The data (Online Retail, CC0) is looked for beside the checkout and the test is skipped where it is absent.
"""

import csv
import gzip
import json
import os
import sqlite3
import sys
import tempfile
from decimal import Decimal

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import ROOT, Checks, Server, skip
from oracle import DAY_US, cents, unit_start, us

DATA = os.path.join(os.path.dirname(ROOT), "shared", "data", "online_retail.csv.gz")
NOW = "2011-12-09T12:50:00Z"   # the last line's minute
EARLIER = "2011-03-27T00:30:00Z"   # half an hour before London's clocks go forward


def load_sqlite():
    db = sqlite3.connect(":memory:")
    db.execute("create table line(who text, t int, stock text, description text, quantity int, price int, country text, n int)")
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as file:
        db.executemany("insert into line values(?,?,?,?,?,?,?,?)", (
            ("customer_id:" + row["CustomerID"] if row["CustomerID"] else "invoice_no:" + row["InvoiceNo"], us(row["InvoiceDate"]),
             row["StockCode"], row["Description"] or None, int(row["Quantity"]), cents(row["UnitPrice"], 3), row["Country"], n)
            for n, row in enumerate(csv.DictReader(file))))
    db.execute("create index line_who on line(who, t)")
    return db


def questions(now):
    def lines(what, where="1", low=None, high=None):
        bounds = f" and l.t > {low}" if low is not None else ""
        bounds += f" and l.t <= {high if high is not None else now}"
        return f"(select {what} from line l where l.who = e.who and ({where}){bounds})"
    month = lambda zone: f"(select count(*) from line l where l.who = e.who and l.t <= {now} and l.t >= {unit_start(now, 'month', zone)})"
    last_month = lambda zone: (f"(select count(*) from line l where l.who = e.who and l.t < {unit_start(now, 'month', zone)} "
                               f"and l.t >= {unit_start(now, 'month', zone, -1)})")
    return [
        ("true", "1"),
        ("has_identifier('customer_id')", "e.who like 'customer_id:%'"),
        ("not has_identifier('customer_id')", "e.who like 'invoice_no:%'"),
        ("sum(line.quantity * line.price) > 1000", f"{lines('sum(l.quantity * l.price)')} > 1000000"),
        ("sum(line.quantity * line.price) < 0", f"{lines('sum(l.quantity * l.price)')} < 0"),
        ("sum(line.quantity * line.price where quantity < 0) < -250.125", f"{lines('sum(l.quantity * l.price)', 'l.quantity < 0')} < -250125"),
        ("count(line where quantity < 0) over 90d > 0", f"{lines('count(*)', 'l.quantity < 0', now - 90 * DAY_US)} > 0"),
        ("count(line) between 90d and 30d ago >= 20", f"{lines('count(*)', '1', now - 90 * DAY_US, now - 30 * DAY_US)} >= 20"),
        ("max(line.price) >= 100 or min(line.price) < 0", f"{lines('max(l.price)')} >= 100000 or {lines('min(l.price)')} < 0"),
        ("avg(line.price) > 4.95", f"{lines('sum(l.price)')} * 100 > 495000 * {lines('count(*)')}"),
        ("count(line.description) < count(line)", f"{lines('count(l.description)')} < {lines('count(*)')}"),
        ("unique_count(line.stock_code) >= 100", f"{lines('count(distinct l.stock)')} >= 100"),
        ("count(line where description contains 'CHRISTMAS') over 180d > 5",
         f"{lines('count(*)', 'instr(l.description, ' + repr('CHRISTMAS') + ')', now - 180 * DAY_US)} > 5"),
        ("count(line where stock_code like '8509__' and quantity >= 6) > 0", f"{lines('count(*)', 'l.stock glob ' + repr('8509??') + ' and l.quantity >= 6')} > 0"),
        ("count(line where not (description contains 'HEART')) = 0", f"{lines('count(*)', 'coalesce(instr(l.description, ' + repr('HEART') + ') = 0, 1)')} = 0"),
        ("count(line where country != 'United Kingdom') > 0", f"{lines('count(*)', 'l.country <> ' + repr('United Kingdom'))} > 0"),
        ("count(line) over this month at 'Europe/London' > 0", f"{month('Europe/London')} > 0"),
        ("count(line) over this month at 'Asia/Tokyo' > 0", f"{month('Asia/Tokyo')} > 0"),
        ("count(line) over last month at 'Europe/London' > 10", f"{last_month('Europe/London')} > 10"),
        ("first_seen(line) > now() - 60d", f"{lines('min(l.t)')} > {now - 60 * DAY_US}"),
        ("last_seen(any) < now() - 180d", f"{lines('max(l.t)')} < {now - 180 * DAY_US}"),
    ]


def check(checks, server, db, instant):
    now = us(instant)
    db.execute("drop table if exists everybody")
    db.execute("create table everybody as select distinct who from line where t <= ?", (now,))
    for expression, sql in questions(now):
        checks.equal(f"at {instant}: {expression}", server.count(expression), db.execute(f"select count(*) from everybody e where {sql}").fetchone()[0])
    answer = json.loads(server.ok("--output", "json", "breakdown", "true", "--sum", "sum(line.quantity * line.price)"), parse_float=Decimal)
    group = answer["groups"][0]
    total = db.execute("select sum(quantity * price) from line where t <= ?", (now,)).fetchone()[0]
    checks.equal(f"at {instant}: the whole turnover", group["sum(sum(line.quantity * line.price))"], Decimal(total).scaleb(-3))
    return Decimal(total).scaleb(-3)


def main():
    if not os.path.exists(DATA):
        skip("Online Retail is not beside the checkout")
    checks = Checks()
    db = load_sqlite()
    options = ["--type", "line", "--rename", "UnitPrice=price,Quantity=quantity,Description=description,StockCode=stock_code,Country=country",
               "--id", "CustomerID,InvoiceNo", "--time", "InvoiceDate"]
    with Server("--clock", "replay") as server:
        server.ok("import", "events", DATA, *options, "--until", EARLIER)
        server.ok("clock", "advance", EARLIER)
        check(checks, server, db, EARLIER)
        server.ok("import", "events", DATA, *options)
        server.ok("clock", "advance", NOW)
        checks.equal("the published total", check(checks, server, db, NOW), Decimal("9747747.934"))
        out = server.ok("import", "events", DATA, *options)
        checks.true("a second import is all duplicates", "541,909 duplicate" in out or "541909 duplicate" in out, out[-300:])
    with Server() as server:   # the same under the system clock: everything lies in the past
        server.ok("import", "events", DATA, *options)
        checks.equal("events under the system clock", int(server.json("status")["event_count"]), 541_909)
        group = json.loads(server.ok("--output", "json", "breakdown", "true", "--sum", "sum(line.quantity * line.price)"), parse_float=Decimal)["groups"][0]
        checks.equal("total under the system clock", group["sum(sum(line.quantity * line.price))"], Decimal("9747747.934"))
    checks.finish()


if __name__ == "__main__":
    main()
