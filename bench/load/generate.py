"""Writes the files of the load benchmark: profiles with 20 attributes and five events each, from a seed.

usage: python3 generate.py FOLDER [PROFILES] [SEED]      (default 1,000,000 and 1)

  profiles.csv   crm, country, tier, gender, device, language, city, plan, channel, is_member, newsletter, age, visits, points, children,
                 spend, balance, last_order_value, score, signup, last_login
  orders.csv     crm, time, message, amount, category, quantity

Distributions are skewed as people's are: few countries hold most profiles, most spend little.
"""

import os
import random
import sys

FIELDS = ("crm,country,tier,gender,device,language,city,plan,channel,is_member,newsletter,age,visits,points,children,spend,balance,"
          "last_order_value,score,signup,last_login")


def many(chance, names, count):
    """Zipf-like over the names, the first most frequent."""
    weights = [1 / (rank + 1) for rank in range(len(names))]
    return chance.choices(names, weights, k=count)


def write_profiles(path, chance, count):
    words = lambda prefix, size: [f"{prefix}{i}" for i in range(size)]
    with open(path, "w", encoding="ascii") as file:
        file.write(FIELDS + "\n")
        done = 0
        while done < count:
            size = min(50_000, count - done)
            columns = [many(chance, names, size) for names in (
                ["NL", "BE", "DE", "FR", "UK", "ES", "IT", "PL", "SE", "DK", "AT", "CH", "NO", "FI", "PT", "IE", "CZ", "HU", "GR", "RO"],
                ["basic", "silver", "gold", "platinum"], ["f", "m", "x"], ["mobile", "desktop", "tablet", "tv"],
                ["nl", "en", "de", "fr", "es"], words("city", 2_000), words("plan", 8), words("channel", 6), ["true", "false"], ["false", "true"])]
            lines = []
            for i in range(size):
                spend = int(chance.paretovariate(1.2) * 1_000) % 1_000_000
                lines.append(",".join([str(done + i + 1), *[column[i] for column in columns], str(18 + int(chance.betavariate(2, 3) * 72)),
                                       str(int(chance.expovariate(0.02))), str(int(chance.expovariate(0.001))), str(chance.randrange(5)),
                                       f"{spend / 100:.2f}", f"{chance.randrange(-5_000, 100_000) / 100:.2f}", f"{chance.randrange(100, 30_000) / 100:.2f}",
                                       f"{chance.random():.6e}", f"20{chance.randrange(15, 26)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}",
                                       f"2026-{chance.randrange(1, 11):02d}-{chance.randrange(1, 29):02d}T{chance.randrange(24):02d}:{chance.randrange(60):02d}:00Z"]))
            file.write("\n".join(lines) + "\n")
            done += size


def write_orders(path, chance, count):
    categories = [f"category{i}" for i in range(40)]
    with open(path, "w", encoding="ascii") as file:
        file.write("crm,time,message,amount,category,quantity\n")
        for done in range(0, count, 50_000):
            size = min(50_000, count - done)
            chosen = many(chance, categories, size)
            lines = []
            for i in range(size):
                lines.append(f"{(done + i) % (count // 5) + 1},2026-{chance.randrange(1, 11):02d}-{chance.randrange(1, 29):02d}T"
                             f"{chance.randrange(24):02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}Z,m{done + i},"
                             f"{chance.randrange(100, 25_000) / 100:.2f},{chosen[i]},{chance.randrange(1, 9)}")
            file.write("\n".join(lines) + "\n")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    chance = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    os.makedirs(sys.argv[1], exist_ok=True)
    write_profiles(os.path.join(sys.argv[1], "profiles.csv"), chance, count)
    write_orders(os.path.join(sys.argv[1], "orders.csv"), chance, 5 * count)


if __name__ == "__main__":
    main()
