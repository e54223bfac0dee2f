"""Joins the tables of The Complete Journey into files that `korrel import` takes as they are.

usage: python3 prepare.py OUTPUT_FOLDER

  households.csv    demographics, one line a household
  purchases.csv     every transaction with its product's department, category and brand
  campaigns.csv     every campaign a household received, with the campaign's type, at the campaign's first day
  redemptions.csv   every coupon redeemed

Only the standard library; the order of lines is the order of the files.
"""

import csv
import gzip
import os
import sys

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")


def read(name):
    with gzip.open(os.path.join(DATA, name + ".csv.gz"), "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def write(folder, name, fields, rows):
    path = os.path.join(folder, name + ".csv")
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)


def purchases():
    products = {row["product_id"]: row for row in read("products")}
    for row in read("transactions_sample"):
        product = products.get(row["product_id"], {})
        row["department"] = product.get("department", "")
        row["category"] = product.get("product_category", "")
        row["brand"] = product.get("brand", "")
        yield row


def campaigns():
    descriptions = {row["campaign_id"]: row for row in read("campaign_descriptions")}
    for row in read("campaigns"):
        description = descriptions[row["campaign_id"]]
        yield {"household_id": row["household_id"], "campaign": row["campaign_id"], "kind": description["campaign_type"],
               "start_date": description["start_date"], "end_date": description["end_date"]}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    households = list(read("demographics"))
    write(folder, "households", list(households[0]), households)
    lines = list(purchases())
    write(folder, "purchases", list(lines[0]), lines)
    received = list(campaigns())
    write(folder, "campaigns", list(received[0]), received)
    redeemed = list(read("coupon_redemptions"))
    write(folder, "redemptions", list(redeemed[0]), redeemed)


if __name__ == "__main__":
    main()
