"""What a household of The Complete Journey is at an instant, worked out from raw rows in plain Python: the attributes and segments of the
live test, each written twice: as Korrel's expression and as a function over lists of events.

Nothing is kept between instants, and every number is a loop over the events themselves.
"""

import bisect
import datetime
import math
import zoneinfo
from fractions import Fraction

from oracle import DAY_US, EPOCH, unit_start

HOUR_US = 3_600_000_000
NEW_YORK = "America/New_York"


class Household:
    """Events in order of time, then arrival; amounts in cents."""

    def __init__(self):
        self.known = {}
        self.purchases, self.campaigns, self.redemptions = [], [], []

    def sort(self):
        for events in (self.purchases, self.campaigns, self.redemptions):
            events.sort(key=lambda event: event["t"])
        self.times = {id(events): [event["t"] for event in events] for events in (self.purchases, self.campaigns, self.redemptions)}


class At:
    """One household at one instant."""

    def __init__(self, household, now):
        self.h, self.now, self.found = household, now, {}

    def between(self, events, low, high):
        """Events with low < t <= high, none from the future."""
        times = self.h.times[id(events)]
        return events[bisect.bisect_right(times, low):bisect.bisect_right(times, min(high, self.now))]

    def over(self, days, events=None):
        return self.between(self.h.purchases if events is None else events, self.now - days * DAY_US, self.now)

    def all(self, events=None):
        events = self.h.purchases if events is None else events
        return events[:bisect.bisect_right(self.h.times[id(events)], self.now)]

    def this(self, unit, zone="UTC"):
        return self.between(self.h.purchases, unit_start(self.now, unit, zone) - 1, self.now)

    def last(self, unit, zone="UTC"):
        return self.between(self.h.purchases, unit_start(self.now, unit, zone, -1) - 1, unit_start(self.now, unit, zone) - 1)

    def value(self, name):
        if name not in self.found:
            self.found[name] = ATTRIBUTES[name][1](self)
        return self.found[name]

    def member(self, name):
        key = "segment " + name
        if key not in self.found:
            self.found[key] = bool(SEGMENTS[name][1](self))
        return self.found[key]


def total(events, field="sales"):
    return Fraction(sum(event[field] for event in events), 100)


def average(events):
    return float(Fraction(sum(event["sales"] for event in events), 100 * len(events))) if events else None


def most_frequent(events, field):
    counts = {}
    for event in events:
        if event[field] is not None:
            counts[event[field]] = counts.get(event[field], 0) + 1
    return min(counts, key=lambda name: (-counts[name], name)) if counts else None


def last_present(events, field):
    return next((event[field] for event in reversed(events) if event[field] is not None), None)


def sessions(all_events, window, gap_us):
    """Runs of events at most a gap apart that have an event in the window."""
    inside = {id(event) for event in window}
    runs, touched, before = 0, False, None
    for event in all_events:
        if before is None or event["t"] - before > gap_us:
            runs, touched = runs + touched, False
        touched, before = touched or id(event) in inside, event["t"]
    return runs + touched


def decayed(events, now, half_life_days, amount):
    s, at = 0.0, None
    for event in events:
        if at is not None:
            s *= math.exp2(-(event["t"] - at) / (half_life_days * DAY_US))
        s, at = s + amount(event), event["t"]
    return s * math.exp2(-(now - at) / (half_life_days * DAY_US)) if at is not None else 0.0


def local_days(events, zone):
    zone = zoneinfo.ZoneInfo(zone)
    return len({(EPOCH + datetime.timedelta(microseconds=event["t"])).astimezone(zone).date() for event in events})


def followed(starts, ends, within_us):
    """did START then END within D, of two event types: event types are numbered in the order in which they became known."""
    return any(0 <= end["t"] - start["t"] <= within_us and (end["t"] > start["t"] or end["order"] > start["order"]) for start in starts for end in ends)


def followed_in_order(events, first, second, within_us, without=None):
    """The same inside one type: positions decide, and nothing of `without` may stand between."""
    for i, start in enumerate(events):
        if not first(start):
            continue
        for j in range(i + 1, len(events)):
            if events[j]["t"] - start["t"] > within_us:
                break
            if second(events[j]) and not (without and any(without(event) for event in events[i + 1:j])):
                return True
    return False


def unanswered(at, starts, answers, within_us):
    """did START without ANSWER within D: the time is over, and none came."""
    for start in starts:
        end = start["t"] + within_us
        if end <= at.now and not any(start["t"] <= answer["t"] <= end and (answer["t"] > start["t"] or answer["order"] > start["order"]) for answer in answers):
            return True
    return False


def in_department(name):
    return lambda event: event["department"] == name


def ratio(part, whole):
    return float(Fraction(part, whole)) if whole else None


def tier(at):
    spend = at.value("spend")
    return "gold" if spend >= 200 else "silver" if spend >= 50 else "basic"


# name: (expression, value). Exact numbers are fractions; a value of None is absent.
ATTRIBUTES = {
    "spend": ("sum(purchase.sales_value)", lambda at: total(at.all())),
    "spend_90d": ("sum(purchase.sales_value) over 90d", lambda at: total(at.over(90))),
    "spend_30d": ("sum(purchase.sales_value) over 30d", lambda at: total(at.over(30))),
    "purchases": ("count(purchase)", lambda at: len(at.all())),
    "purchases_7d": ("count(purchase) over 7d", lambda at: len(at.over(7))),
    "purchases_28d": ("count(purchase) over 28d", lambda at: len(at.over(28))),
    "baskets": ("unique_count(purchase.basket_id)", lambda at: len({event["basket"] for event in at.all()})),
    "baskets_60d": ("unique_count(purchase.basket_id) over 60d", lambda at: len({event["basket"] for event in at.over(60)})),
    "average_line": ("avg(purchase.sales_value)", lambda at: average(at.all())),
    "average_line_90d": ("avg(purchase.sales_value) over 90d", lambda at: average(at.over(90))),
    "cheapest_60d": ("min(purchase.sales_value) over 60d", lambda at: min((Fraction(e["sales"], 100) for e in at.over(60)), default=None)),
    "dearest": ("max(purchase.sales_value)", lambda at: max((Fraction(e["sales"], 100) for e in at.all()), default=None)),
    "first_purchase": ("first_seen(purchase)", lambda at: at.all()[0]["t"] if at.all() else None),
    "last_purchase": ("last_seen(purchase)", lambda at: at.all()[-1]["t"] if at.all() else None),
    "favourite_department": ("most_frequent(purchase.department)", lambda at: most_frequent(at.all(), "department")),
    "favourite_category_120d": ("most_frequent(purchase.category) over 120d", lambda at: most_frequent(at.over(120), "category")),
    "last_department": ("last(purchase.department)", lambda at: last_present(at.all(), "department")),
    "first_brand": ("first(purchase.brand)", lambda at: next((e["brand"] for e in at.all() if e["brand"] is not None), None)),
    "shopping_days": ("days_active(purchase, 'America/New_York')", lambda at: local_days(at.all(), NEW_YORK)),
    "shopping_days_60d": ("days_active(purchase) over 60d", lambda at: local_days(at.over(60), "UTC")),
    "trips": ("sessions(purchase, gap 30m)", lambda at: sessions(at.all(), at.all(), HOUR_US // 2)),
    "trips_30d": ("sessions(purchase, gap 2h) over 30d", lambda at: sessions(at.all(), at.over(30), 2 * HOUR_US)),
    "private_share": ("count(purchase where brand = 'Private') / count(purchase)",
                      lambda at: ratio(sum(e["brand"] == "Private" for e in at.all()), len(at.all()))),
    "produce_90d": ("sum(purchase.sales_value where department = 'PRODUCE') over 90d",
                    lambda at: total([e for e in at.over(90) if e["department"] == "PRODUCE"])),
    "purchases_before": ("count(purchase) between 90d and 30d ago",
                         lambda at: len(at.between(at.h.purchases, at.now - 90 * DAY_US, at.now - 30 * DAY_US))),
    "spend_this_month": ("sum(purchase.sales_value) over this month at 'America/New_York'", lambda at: total(at.this("month", NEW_YORK))),
    "purchases_last_month": ("count(purchase) over last month", lambda at: len(at.last("month"))),
    "heat": ("decayed_sum(purchase.sales_value, half_life 30d)", lambda at: decayed(at.all(), at.now, 30, lambda e: e["sales"] / 100)),
    "answered": ("did campaign then redemption within 60d", lambda at: followed(at.all(at.h.campaigns), at.all(at.h.redemptions), 60 * DAY_US)),
    "campaigns": ("count(campaign) over 120d", lambda at: len(at.over(120, at.h.campaigns))),
    "tier": ("if(spend >= 200, 'gold', if(spend >= 50, 'silver', 'basic'))", tier),
    "basket_value": ("if(baskets > 0, spend / baskets, 0)", lambda at: float(at.value("spend") / at.value("baskets")) if at.value("baskets") else 0.0),
}
EXACT = {"spend", "spend_90d", "spend_30d", "cheapest_60d", "dearest", "produce_90d", "spend_this_month"}
TIMES = {"first_purchase", "last_purchase"}
DECAYING = {"heat"}


def above(at, name, bound):
    value = at.value(name)
    return value is not None and value > bound


def make_segments():
    """About two hundred, from every family of predicates."""
    made = {}

    def add(name, expression, holds):
        made[name] = (expression, holds)

    for bound in (10, 25, 50, 75, 100, 150, 200, 300, 400, 600):
        add(f"spend 90d from {bound}", f"spend_90d >= {bound}", lambda at, b=bound: at.value("spend_90d") >= b)
    for days in (7, 14, 30, 60, 90):
        for least in (1, 3, 5, 10):
            add(f"{least} purchases in {days}d", f"count(purchase) over {days}d >= {least}", lambda at, d=days, k=least: len(at.over(d)) >= k)
    for days in (20, 30, 45, 60, 75, 90):
        add(f"lapsing {days}d", f"count(purchase) >= 10 and count(purchase) over {days}d = 0",
            lambda at, d=days: len(at.all()) >= 10 and not at.over(d))
    for days in (7, 14, 21, 30, 45, 60, 90, 120):
        add(f"silent {days}d", f"last_seen(purchase) < now() - {days}d",
            lambda at, d=days: at.value("last_purchase") is not None and at.value("last_purchase") < at.now - d * DAY_US)
        add(f"new {days}d", f"now() - first_purchase <= {days}d",
            lambda at, d=days: at.value("first_purchase") is not None and at.now - at.value("first_purchase") <= d * DAY_US)
    for days in (14, 30, 60):
        for least in (2, 4, 6):
            add(f"{least} trips in {days}d", f"sessions(purchase, gap 2h) over {days}d >= {least}",
                lambda at, d=days, k=least: sessions(at.all(), at.over(d), 2 * HOUR_US) >= k)
    for half_life in (7, 30):
        for bound in (5, 20, 60):
            add(f"heat {half_life}d over {bound}", f"decayed_sum(purchase.sales_value, half_life {half_life}d) > {bound}",
                lambda at, h=half_life, b=bound: decayed(at.all(), at.now, h, lambda e: e["sales"] / 100) > b)
        for bound in (2, 5, 12):
            add(f"warm {half_life}d from {bound}", f"decayed_count(purchase, half_life {half_life}d) >= {bound}",
                lambda at, h=half_life, b=bound: decayed(at.all(), at.now, h, lambda e: 1.0) >= b)
    for name in ("GROCERY", "PRODUCE", "DRUG GM", "MEAT", "DELI", "PASTRY", "NUTRITION", "FLORAL"):
        add(f"favours {name}", f"favourite_department = '{name}'", lambda at, n=name: at.value("favourite_department") == n)
        add(f"last in {name}", f"last_department = '{name}' and purchases_28d > 0",
            lambda at, n=name: at.value("last_department") == n and at.value("purchases_28d") > 0)
        add(f"{name} then PRODUCE", f"did (purchase where department = '{name}') then (purchase where department = 'PRODUCE') within 3d over 60d",
            lambda at, n=name: followed_in_order(at.over(60), in_department(n), in_department("PRODUCE"), 3 * DAY_US))
        add(f"{name} then GROCERY, no MEAT",
            f"did (purchase where department = '{name}') without (purchase where department = 'MEAT') then (purchase where department = 'GROCERY') "
            "within 10d over 90d",
            lambda at, n=name: followed_in_order(at.over(90), in_department(n), in_department("GROCERY"), 10 * DAY_US, in_department("MEAT")))
    for days in (7, 14, 30):
        add(f"campaign in vain {days}d", f"did campaign without redemption within {days}d over 90d",
            lambda at, d=days: unanswered(at, at.over(90, at.h.campaigns), at.all(at.h.redemptions), d * DAY_US))
    for age in ("19-24", "25-34", "35-44", "45-54", "55-64", "65+"):
        for bound in (20, 80):
            add(f"{age} and {bound}", f"age = '{age}' and spend_30d >= {bound}", lambda at, a=age, b=bound: at.h.known.get("age") == a and at.value("spend_30d") >= b)
    add("families", "kids_count in ('1', '2', '3+')", lambda at: at.h.known.get("kids_count") in ("1", "2", "3+"))
    add("home unknown", "home_ownership is absent", lambda at: at.h.known.get("home_ownership") is None)
    add("owners", "home_ownership = 'Homeowner'", lambda at: at.h.known.get("home_ownership") == "Homeowner")
    add("rich", "income matches '^(1[0-9]{2}-|2)'", lambda at: (at.h.known.get("income") or "")[:1] == "2" or (at.h.known.get("income") or "")[3:4] == "-")
    add("not married", "not (marital_status = 'Married')", lambda at: at.h.known.get("marital_status") != "Married")
    for bound in ("1.50", "2.50", "3.50", "5.00", "8.00"):
        add(f"average over {bound}", f"average_line > {bound}", lambda at, b=float(bound): above(at, "average_line", b))
        add(f"dearest over {bound}", f"dearest > {bound} and cheapest_60d is present",
            lambda at, b=Fraction(bound): above(at, "dearest", b) and at.value("cheapest_60d") is not None)
    for least in (1, 2, 4, 8):
        add(f"this month {least}", f"count(purchase) over this month at 'America/New_York' >= {least}",
            lambda at, k=least: len(at.this("month", NEW_YORK)) >= k)
        add(f"last week {least}", f"count(purchase) over last week at 'America/New_York' >= {least}", lambda at, k=least: len(at.last("week", NEW_YORK)) >= k)
        add(f"this quarter {least}", f"sum(purchase.sales_value) over this quarter >= {least * 20}", lambda at, k=least: total(at.this("quarter")) >= k * 20)
    add("today", "count(purchase) over today at 'America/New_York' > 0", lambda at: bool(at.this("day", NEW_YORK)))
    add("yesterday", "count(purchase) over yesterday > 0 and not (count(purchase) over today > 0)", lambda at: bool(at.last("day")) and not at.this("day"))
    for percent in (10, 20, 30, 40, 60):
        add(f"private {percent}", f"private_share > 0.{percent:02d}", lambda at, p=percent: above(at, "private_share", p / 100))
    for name in ("gold", "silver", "basic"):
        add(f"tier {name}", f"tier = '{name}'", lambda at, n=name: at.value("tier") == n)
        add(f"{name} but silent", f"tier = '{name}' and in segment 'silent 30d'", lambda at, n=name: at.value("tier") == n and at.member("silent 30d"))
        add(f"{name} or family", f"tier = '{name}' and purchases_7d > 0 or in segment 'families' and purchases_28d > 3",
            lambda at, n=name: (at.value("tier") == n and at.value("purchases_7d") > 0) or (at.member("families") and at.value("purchases_28d") > 3))
    for days in (30, 60, 90):
        add(f"slipping {days}", f"in segment '1 purchases in {days}d' and not (in segment '3 purchases in {days}d') and purchases_before >= 2",
            lambda at, d=days: at.member(f"1 purchases in {d}d") and not at.member(f"3 purchases in {d}d") and at.value("purchases_before") >= 2)
    for least in (1, 2, 3):
        add(f"reached {least}", f"campaigns >= {least} and count(redemption) = 0", lambda at, k=least: at.value("campaigns") >= k and not at.all(at.h.redemptions))
        add(f"answering {least}", f"answered and count(redemption) over 90d >= {least}",
            lambda at, k=least: at.value("answered") and len(at.over(90, at.h.redemptions)) >= k)
    for low, high in ((0, 1), (2, 5), (6, 20)):
        add(f"before {low} to {high}", f"purchases_before between {low} and {high} and purchases_last_month > 0",
            lambda at, a=low, b=high: a <= at.value("purchases_before") <= b and at.value("purchases_last_month") > 0)
        add(f"produce {low} to {high}", f"produce_90d between {low} and {high} or shopping_days_60d > {high + 10}",
            lambda at, a=low, b=high: a <= at.value("produce_90d") <= b or at.value("shopping_days_60d") > b + 10)
        add(f"days {low} to {high}", f"shopping_days between {low} and {high} and trips_30d >= 1",
            lambda at, a=low, b=high: a <= at.value("shopping_days") <= b and at.value("trips_30d") >= 1)
    add("worth a call", "(in segment 'gold but silent' or in segment 'lapsing 45d') and basket_value > 5 and not (in segment 'answering 1')",
        lambda at: (at.member("gold but silent") or at.member("lapsing 45d")) and at.value("basket_value") > 5 and not at.member("answering 1"))
    add("weekend", "weekday(last_purchase, 'America/New_York') in (6, 7) and purchases_7d > 0",
        lambda at: at.value("last_purchase") is not None and at.value("purchases_7d") > 0 and
        (EPOCH + datetime.timedelta(microseconds=at.value("last_purchase"))).astimezone(zoneinfo.ZoneInfo(NEW_YORK)).isoweekday() in (6, 7))
    add("first brand private", "first_brand = 'Private' and average_line_90d is present",
        lambda at: at.value("first_brand") == "Private" and at.value("average_line_90d") is not None)
    add("cheese lately", "favourite_category_120d contains 'CHEESE'", lambda at: "CHEESE" in (at.value("favourite_category_120d") or ""))
    for bound in (3, 6, 12, 24):
        add(f"baskets over {bound}", f"basket_value > {bound}", lambda at, b=bound: at.value("basket_value") > b)
        add(f"baskets of 60d {bound}", f"baskets_60d * 3 >= {bound} and campaigns < 4", lambda at, b=bound: at.value("baskets_60d") * 3 >= b and at.value("campaigns") < 4)
        add(f"heat {bound}", f"heat >= {bound}.5 and purchases >= 3",
            lambda at, b=bound: decayed(at.all(), at.now, 30, lambda e: e["sales"] / 100) >= b + 0.5 and at.value("purchases") >= 3)
        add(f"quiet {bound}", f"count(purchase) between {bound + 30}d and {bound}d ago = 0 and shopping_days > 1",
            lambda at, b=bound: not at.between(at.h.purchases, at.now - (b + 30) * DAY_US, at.now - b * DAY_US) and at.value("shopping_days") > 1)
    add("many small trips", "trips >= 10 and basket_value < 12", lambda at: at.value("trips") >= 10 and at.value("basket_value") < 12)
    return made


SEGMENTS = make_segments()
