"""Thirty-odd questions on a year of grocery shopping, at four instants of the replay clock, against SQLite on the same files.

The purchases are imported piece by piece with --until, always from the same file, so every later import also proves that what is
there already changes nothing. SQLite keeps money as integer cents; Python's zoneinfo gives the calendar boundaries.
"""

import csv
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from decimal import Decimal

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import ROOT, Checks, Server
from oracle import DAY_US, cents, unit_start, us

EXAMPLE = os.path.join(ROOT, "examples", "complete_journey")
INSTANTS = ["2017-03-12T07:30:00Z",   # the hour in which New York's clocks go forward
            "2017-07-01T00:00:00Z",   # first instant of a quarter in UTC, still June in New York
            "2017-11-05T05:59:59.999999Z",
            "2018-01-02T00:00:00Z"]
MONEY = ["sales_value", "retail_disc", "coupon_disc", "coupon_match_disc"]


def load_sqlite(folder):
    db = sqlite3.connect(":memory:")
    db.execute("create table household(id text primary key, age text, income text, home text, marital text, size text, comp text, kids text)")
    db.execute("create table purchase(id text, t int, store int, basket int, product int, quantity int, sales int, retail int, coupon int, "
               "match int, week int, department text, category text, brand text, line int)")
    db.execute("create table campaign(id text, t int, campaign text, kind text)")
    db.execute("create table redemption(id text, t int, upc text, campaign text)")
    null = lambda text: text if text != "" else None
    for row in csv.DictReader(open(os.path.join(folder, "households.csv"), newline="")):
        db.execute("insert into household values(?,?,?,?,?,?,?,?)", [null(value) for value in row.values()])
    for line, row in enumerate(csv.DictReader(open(os.path.join(folder, "purchases.csv"), newline=""))):
        db.execute("insert into purchase values(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                   [row["household_id"], us(row["transaction_timestamp"]), int(row["store_id"]), int(Decimal(row["basket_id"])), int(row["product_id"]),
                    int(row["quantity"]), *[cents(row[name]) for name in MONEY], int(row["week"]), null(row["department"]),
                    null(row["category"]), null(row["brand"]), line])
    for row in csv.DictReader(open(os.path.join(folder, "campaigns.csv"), newline="")):
        db.execute("insert into campaign values(?,?,?,?)", [row["household_id"], us(row["start_date"]), row["campaign"], row["kind"]])
    for row in csv.DictReader(open(os.path.join(folder, "redemptions.csv"), newline="")):
        db.execute("insert into redemption values(?,?,?,?)", [row["household_id"], us(row["redemption_date"]), row["coupon_upc"], row["campaign_id"]])
    for table in ("purchase", "campaign", "redemption"):
        db.execute(f"create index {table}_id on {table}(id, t)")
    # Everybody: known by demographics or by anything that happened, a campaign or redemption imported at the end included.
    db.execute("create table everybody as select id from household union select id from purchase where 0")
    return db


# (expression, SQL condition on a household `e` of everybody). {now}: the instant; P(...) below abbreviates sub-selects.
def questions(now):
    def purchases(what, where="1", low=None, high=None, low_closed=False, high_open=False):
        condition = f"p.id = e.id and p.t <= {now} and ({where})"
        if low is not None:
            condition += f" and p.t {'>=' if low_closed else '>'} {low}"
        if high is not None:
            condition += f" and p.t {'<' if high_open else '<='} {high}"
        return f"(select {what} from purchase p where {condition})"

    def last(days):
        return {"low": now - days * DAY_US}

    def between(a, b):
        return {"low": now - a * DAY_US, "high": now - b * DAY_US}

    def this(unit, zone):
        return {"low": unit_start(now, unit, zone), "low_closed": True}

    def previous(unit, zone):
        return {"low": unit_start(now, unit, zone, -1), "low_closed": True, "high": unit_start(now, unit, zone), "high_open": True}

    ny, utc = "America/New_York", "UTC"
    h = lambda condition: f"exists (select 1 from household h where h.id = e.id and ({condition}))"
    has_income = h("h.income is not null")
    return [
        ("true", "1"),
        ("age = '65+'", h("h.age = '65+'")),
        ("age != '65+'", h("h.age != '65+'")),
        ("not (age = '65+')", f"not {h('h.age = ' + chr(39) + '65+' + chr(39))}"),
        ("home_ownership is absent", f"not {h('h.home is not null')}"),
        ("home_ownership not in ('Homeowner', 'Renter') and income is present",
         f"not {h(chr(10).join(['h.home in', '(', repr('Homeowner'), ',', repr('Renter'), ')']))} and {has_income}"),
        ("marital_status = 'Married' and home_ownership = 'Homeowner' and kids_count in ('1', '2', '3+')",
         h("h.marital = 'Married' and h.home = 'Homeowner' and h.kids in ('1', '2', '3+')")),
        ("income matches '^(1[0-9]{2}-|2)'", h("h.income glob '1[0-9][0-9]-*' or h.income like '2%'")),
        ("income like '%K' and not (income like '_5-%')", h("h.income like '%K' and not h.income like '_5-%'")),
        ("household_comp contains 'Kids' and household_size > '2'", h("instr(h.comp, 'Kids') > 0 and h.size > '2'")),
        ("household_size between '2' and '4'", h("h.size between '2' and '4'")),
        ("count(purchase) = 0", f"{purchases('count(*)')} = 0"),
        ("count(purchase) >= 10", f"{purchases('count(*)')} >= 10"),
        ("count(purchase) over 30d >= 3", f"{purchases('count(*)', **last(30))} >= 3"),
        ("count(purchase) between 90d and 30d ago between 2 and 5", f"{purchases('count(*)', **between(90, 30))} between 2 and 5"),
        ("sum(purchase.sales_value) over 90d > 100", f"coalesce({purchases('sum(p.sales)', **last(90))}, 0) > 10000"),
        ("sum(purchase.sales_value) = 0", f"coalesce({purchases('sum(p.sales)')}, 0) = 0"),
        ("sum(purchase.quantity * purchase.sales_value) over 60d >= 250.5",
         f"coalesce({purchases('sum(p.quantity * p.sales)', **last(60))}, 0) >= 25050"),
        ("sum(purchase.sales_value + purchase.retail_disc where department = 'PRODUCE' and quantity > 1) > 5",
         f"coalesce({purchases('sum(p.sales + p.retail)', 'p.department = ' + repr('PRODUCE') + ' and p.quantity > 1')}, 0) > 500"),
        ("avg(purchase.sales_value) > 5", f"{purchases('sum(p.sales)')} > 500 * {purchases('count(*)')}"),
        ("min(purchase.sales_value) over 365d >= 1", f"{purchases('min(p.sales)', **last(365))} >= 100"),
        ("max(purchase.quantity) > 100", f"{purchases('max(p.quantity)')} > 100"),
        ("count(purchase) over this month at 'America/New_York' >= 2", f"{purchases('count(*)', **this('month', ny))} >= 2"),
        ("count(purchase) over this month >= 2", f"{purchases('count(*)', **this('month', utc))} >= 2"),
        ("count(purchase) over last week at 'America/New_York' > 0", f"{purchases('count(*)', **previous('week', ny))} > 0"),
        ("sum(purchase.sales_value) over last quarter at 'UTC' >= 75.25",
         f"coalesce({purchases('sum(p.sales)', **previous('quarter', utc))}, 0) >= 7525"),
        ("count(purchase) over today at 'America/New_York' > 0 or count(purchase) over yesterday at 'America/New_York' > 0",
         f"{purchases('count(*)', **this('day', ny))} > 0 or {purchases('count(*)', **previous('day', ny))} > 0"),
        ("count(purchase) over this year at 'America/New_York' between 1 and 4", f"{purchases('count(*)', **this('year', ny))} between 1 and 4"),
        ("first_seen(purchase) >= date '2017-02-01'", f"{purchases('min(p.t)')} >= {us('2017-02-01')}"),
        ("last_seen(purchase) < now() - 45d", f"{purchases('max(p.t)')} < {now - 45 * DAY_US}"),
        ("now() - last_seen(purchase) <= 36h", f"{now} - {purchases('max(p.t)')} <= {36 * DAY_US // 24}"),
        ("unique_count(purchase.department) >= 5", f"{purchases('count(distinct p.department)')} >= 5"),
        ("unique_count(purchase.basket_id) over 28d > 3", f"{purchases('count(distinct p.basket)', **last(28))} > 3"),
        ("count(purchase.brand where brand = 'Private') / count(purchase) > 0.4",
         f"{purchases('count(*)', 'p.brand = ' + repr('Private'))} * 10 > 4 * {purchases('count(*)')} and {purchases('count(*)')} > 0"),
        ("not (max(purchase.coupon_disc) > 0)", f"not coalesce({purchases('max(p.coupon)')} > 0, 0)"),
        ("count(purchase where category matches 'CHEESE|MILK' and sales_value between 1 and 2.5) >= 2",
         f"{purchases('count(*)', '(instr(p.category, ' + repr('CHEESE') + ') or instr(p.category, ' + repr('MILK') + ')) and p.sales between 100 and 250')} >= 2"),
        ("count(purchase where event_time >= date '2017-02-01' and event_time < date '2017-03-01') > 0",
         f"{purchases('count(*)', low=us('2017-02-01'), low_closed=True, high=us('2017-03-01'), high_open=True)} > 0"),
        ("weekday(last_seen(purchase), 'America/New_York') in (6, 7)", None),
        ("days_active(purchase, 'America/New_York') >= 20", None),
        ("most_frequent(purchase.department) = 'PRODUCE'", None),
    ]


def python_answers(db, now):
    """The questions SQL cannot say: local days, weekdays, most frequent with ties."""
    import collections
    import datetime
    import zoneinfo
    zone = zoneinfo.ZoneInfo("America/New_York")
    local = lambda t: (datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(microseconds=t)).astimezone(zone)
    weekend, active, produce = 0, 0, 0
    for (household,) in db.execute("select id from everybody"):
        rows = db.execute("select t, department from purchase where id = ? and t <= ?", (household, now)).fetchall()
        if not rows:
            continue
        weekend += local(max(t for t, _ in rows)).isoweekday() in (6, 7)
        active += len({local(t).date() for t, _ in rows}) >= 20
        counts = collections.Counter(department for _, department in rows if department is not None)
        if counts:
            most = max(counts.values())
            produce += min(name for name, n in counts.items() if n == most) == "PRODUCE"
    return [weekend, active, produce]


def check_counts(checks, server, db, instant, now):
    rest = python_answers(db, now)
    for expression, sql in questions(now):
        want = db.execute(f"select count(*) from everybody e where {sql}").fetchone()[0] if sql else rest.pop(0)
        checks.equal(f"at {instant}: {expression}", server.count(expression), want)


def exact(text):
    return json.loads(text, parse_float=Decimal, parse_int=int)


def check_values(checks, server, db, now, instant):
    """Every household's own numbers, not only counts: query with computed attributes and expressions."""
    lines = server.ok("--output", "json", "query", "count(purchase) > 0", "--select", "spend,spend_90d,baskets,last_purchase,max(purchase.week)").splitlines()
    got = {}
    for line in lines:
        row = exact(line)
        name = [text for text in row["identifiers"] if text.startswith("household_id:")][0].split(":", 1)[1]
        got[name] = (int(row["spend"] * 100), int(row["spend_90d"] * 100), row["baskets"], us(row["last_purchase"]), row["max(purchase.week)"])
    want = {row[0]: tuple(row[1:]) for row in db.execute(
        "select id, sum(sales), coalesce(sum(case when t > :now - :d then sales end), 0), count(distinct basket), max(t), max(week) "
        "from purchase where t <= :now group by id", {"now": now, "d": 90 * DAY_US})}
    checks.equal(f"at {instant}: every household's values", got, want)


def check_top(checks, server, db, now, instant):
    rows = [exact(line) for line in server.ok("--output", "json", "query", "true", "--select", "spend", "--order-by", "-spend", "--limit", "25").splitlines()]
    want = [row[0] for row in db.execute("select sum(sales) s from purchase where t <= ? group by id order by s desc limit 25", (now,))]
    checks.equal(f"at {instant}: top 25 by spend", [int(row["spend"] * 100) for row in rows], want)


def check_breakdown(checks, server, db, now, instant):
    answer = exact(server.ok("--output", "json", "breakdown", "count(purchase) > 0", "--by", "income", "--sum", "spend"))
    got = sorted(((group.get("income"), group["count"], int(group["sum(spend)"] * 100)) for group in answer["groups"]), key=str)
    want = sorted(db.execute("select h.income, count(*), sum(s) from (select id, sum(sales) s from purchase where t <= ? group by id) x "
                             "left join household h on h.id = x.id group by h.income", (now,)).fetchall(), key=str)
    checks.equal(f"at {instant}: breakdown by income", got, want)


def check_overlap(checks, server, db, now, instant):
    sets = [f"exists (select 1 from purchase p where p.id = e.id and p.t <= {now} and p.t > {now - days * DAY_US})" for days in (7, 30, 90)]
    answer = server.json("overlap", *[f"count(purchase) over {days}d > 0" for days in (7, 30, 90)])
    want = [[db.execute(f"select count(*) from everybody e where {a} and {b}").fetchone()[0] for b in sets] for a in sets]
    checks.equal(f"at {instant}: overlap", answer["counts"], want)


def check_sets(checks, server, db, folder):
    """A set-valued attribute: the departments a household bought from, from a cell split at '|'."""
    departments = {}
    for who, department in db.execute("select id, department from purchase where department is not null"):
        departments.setdefault(who, set()).add(department)
    path = os.path.join(folder, "departments.csv")
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["household_id", "departments"])
        for who in sorted(departments):
            writer.writerow([who, "|".join(sorted(departments[who]))])
    server.ok("import", "profiles", path, "--id", "household_id", "--types", "departments:set(|)")
    everybody = [row[0] for row in db.execute("select id from everybody")]
    holds = {who: departments.get(who) for who in everybody}
    for expression, condition in [
            ("departments has any ('SEAFOOD', 'FLORAL')", lambda d: d is not None and bool(d & {"SEAFOOD", "FLORAL"})),
            ("departments has all ('PRODUCE', 'DELI')", lambda d: d is not None and {"PRODUCE", "DELI"} <= d),
            ("departments has none ('GROCERY', 'PRODUCE')", lambda d: d is not None and not d & {"GROCERY", "PRODUCE"}),
            ("not (departments has 'GROCERY')", lambda d: d is None or "GROCERY" not in d),
            ("length(departments) >= 6", lambda d: d is not None and len(d) >= 6),
            ("departments is absent", lambda d: d is None)]:
        checks.equal(expression, server.count(expression), sum(condition(d) for d in holds.values()))
    answer = server.json("breakdown", "departments has 'SEAFOOD'", "--by", "departments")
    want = {}
    for d in holds.values():
        for name in d or ():
            want[name] = want.get(name, 0) + ("SEAFOOD" in d)
    checks.equal("breakdown by a set", {group["departments"]: group["count"] for group in answer["groups"]},
                 {name: count for name, count in want.items() if count})


def check_campaigns(checks, server, db, folder):
    """Campaigns and redemptions arrive last, all of them late: the answers are as if they had come in time."""
    server.ok("import", "events", os.path.join(folder, "campaigns.csv"), "--type", "campaign", "--id", "household_id", "--time", "start_date")
    server.ok("import", "events", os.path.join(folder, "redemptions.csv"), "--type", "redemption", "--id", "household_id", "--time", "redemption_date")
    db.execute("delete from everybody")
    db.execute("insert into everybody select id from household union select id from purchase union select id from campaign union select id from redemption")
    some = lambda table, where="1": f"(select count(*) from {table} x where x.id = e.id and ({where}))"
    for expression, sql in [
            ("true", "1"),
            ("count(campaign) >= 3 and not (count(redemption) > 0)", f"{some('campaign')} >= 3 and {some('redemption')} = 0"),
            ("in segment 'reached in vain'", f"{some('campaign')} >= 3 and {some('redemption')} = 0"),
            ("count(campaign where kind = 'Type A') > 0 and in segment 'coupon users'",
             f"{some('campaign', 'x.kind = ' + repr('Type A'))} > 0 and {some('redemption')} > 0"),
            ("count(campaign) > 0 and count(purchase) = 0", f"{some('campaign')} > 0 and {some('purchase')} = 0"),
            ("last(campaign.kind) = 'Type B' and unique_count(redemption.campaign_id) >= 2",
             f"(select kind from campaign x where x.id = e.id order by t desc, rowid desc limit 1) = 'Type B' and "
             f"(select count(distinct campaign) from redemption x where x.id = e.id) >= 2")]:
        checks.equal(expression, server.count(expression), db.execute(f"select count(*) from everybody e where {sql}").fetchone()[0])


def main():
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder, Server("--clock", "replay", "--shards", "4") as server:
        subprocess.run([sys.executable, os.path.join(EXAMPLE, "prepare.py"), folder], check=True)
        db = load_sqlite(folder)
        server.ok("apply", os.path.join(EXAMPLE, "catalog.yaml"))
        server.ok("import", "profiles", os.path.join(folder, "households.csv"), "--id", "household_id")
        for instant in INSTANTS:
            now = us(instant)
            server.ok("import", "events", os.path.join(folder, "purchases.csv"), "--type", "purchase", "--id", "household_id", "--time",
                      "transaction_timestamp", "--round", "--until", instant)
            server.ok("clock", "advance", instant)
            db.execute("delete from everybody")
            db.execute("insert into everybody select id from household union select id from purchase where t <= ?", (now,))
            check_counts(checks, server, db, instant, now)
            check_values(checks, server, db, now, instant)
            check_top(checks, server, db, now, instant)
            check_breakdown(checks, server, db, now, instant)
            check_overlap(checks, server, db, now, instant)
        check_sets(checks, server, db, folder)
        check_campaigns(checks, server, db, folder)
        before = server.json("status")["event_count"]
        out = server.ok("import", "events", os.path.join(folder, "purchases.csv"), "--type", "purchase", "--id", "household_id", "--time",
                        "transaction_timestamp", "--round")
        checks.true("a second import says that everything was there", "75,000 duplicate" in out or "75000 duplicate" in out, out[-400:])
        checks.equal("a second import changes nothing", server.json("status")["event_count"], before)
    checks.finish()


if __name__ == "__main__":
    main()
