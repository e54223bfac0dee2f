"""Instants and calendar boundaries for the SQL side of the system tests, from Python's own zone database."""

import datetime
import zoneinfo

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000


def us(text):
    """Microseconds since 1970 of an RFC 3339 text or a date (midnight UTC)."""
    if len(text) == 10:
        text += "T00:00:00Z"
    return (datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // datetime.timedelta(microseconds=1)


def unit_start(now_us, unit, zone, offset=0):
    """First instant of the local day, week, month, quarter or year that holds now_us, moved by whole units."""
    tz = zoneinfo.ZoneInfo(zone)
    date = (EPOCH + datetime.timedelta(microseconds=now_us)).astimezone(tz).date()
    if unit == "day":
        date += datetime.timedelta(days=offset)
    elif unit == "week":
        date += datetime.timedelta(days=7 * offset - date.weekday())
    else:
        months = {"month": 1, "quarter": 3, "year": 12}[unit]
        index = date.year * 12 + date.month - 1
        index = index // months * months + offset * months
        date = datetime.date(index // 12, index % 12 + 1, 1)
    local = datetime.datetime(date.year, date.month, date.day, tzinfo=tz)
    return (local.astimezone(UTC) - EPOCH) // datetime.timedelta(microseconds=1)


def cents(text, scale=2):
    """A decimal text as an exact integer of 10^-scale; digits beyond the scale round half away from zero."""
    from decimal import ROUND_HALF_UP, Decimal
    return int(Decimal(text).scaleb(scale).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def decimal_number(unscaled, scale):
    """What Korrel's JSON prints for a decimal: a number. Compared as exact text through json's float-free parse."""
    from decimal import Decimal
    return Decimal(unscaled).scaleb(-scale)
