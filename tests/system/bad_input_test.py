"""Input nobody asked for, through the real programs: a definite error that names the place, and a server that goes on answering."""

import os
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import PROGRAMS, Checks, Server

EXPRESSIONS = [  # (expression, a word the message must hold)
    ("contry = 'NL'", "did you mean 'country'"),
    ("age = ", "expected a value"),
    ("age = '25'", "cannot be compared"),
    ("country == 'NL'", "=="),
    ('country = "NL"', "single quotes"),
    ("18 < age < 65", "chain"),
    ("country is null", "is absent"),
    ("order.amount > 10", "one value per event"),
    ("count(order) where amount > 10", "inside the parentheses"),
    ("sum(order) > 1", "needs a property"),
    ("count(order) over 0d > 1", "longer than zero"),
    ("count(order) between 30d and 90d ago > 1", "ends before it starts"),
    ("count(order) over 30days > 1", "units are"),
    ("country matches '('", "bad regular expression"),
    ("context.page = 'home'", "context"),
    ("consent('marketing', 'email')", "not available"),
    ("consent('mail')", "not available"),
    ("in segment 'nobody'", "nobody"),
    ("age = 99999999999999999999", ""),
    ("age > 'a", ""),
    ("@x = 1", ""),
    ("", ""),
    ("#", ""),
    ("(" * 10_000 + "true" + ")" * 10_000, "nest"),
    ("not " * 10_000 + "true", "nest"),
    ("-" * 10_000 + "1 = 1", "nest"),
    ("age in (" + ",".join(["1"] * 20_000) + ")", "10000"),
    (" or ".join(["age = 1"] * 2_000), "1000"),
    ("country = '" + "x" * 70_000 + "'", "64 KiB"),
]


def check_expressions(checks, server):
    for expression, word in EXPRESSIONS:
        code, out, err = server.run("count", expression)
        checks.equal(f"exit of {expression[:40]!r}", (code, out), (1, ""))
        checks.true(f"message of {expression[:40]!r} holds {word!r}", word in err, err[:300])
        checks.true(f"message of {expression[:40]!r} names the place or is short", 0 < len(err) < 4_000, str(len(err)))


def check_writes(checks, server):
    for arguments, word in [
            (["set", "crm:1", "age=old"], "age"),                     # an int stays an int
            (["set", "nocolon", "age=1"], "type:value"),
            (["set", "CRM:1", "age=1"], ""),                          # type must be lower case
            (["set", "crm:", "age=1"], ""),
            (["set", "crm:1", "=1"], ""),
            (["set", "crm:1", "x" * 200 + "=1"], "128"),
            (["set", "profile:00000000000000ff", "age=1"], ""),
            (["get", "crm:unknown"], ""),
            (["get", "unheard:of"], ""),
            (["delete", "crm:unknown"], ""),
            (["events", "crm:unknown"], ""),
            (["track", "crm:1", "order", "amount=1", "--time", "2999-01-01"], ""),
            (["track", "crm:1", "order", "amount=1", "--time", "yesterday"], "yesterday"),
            (["track", "crm:1", "", "amount=1"], ""),
            (["clock", "advance", "2030-01-01"], "replay"),
            (["segment", "members", "nobody"], "nobody"),
            (["attribute", "retype", "contry", "int"], "contry"),
            (["attribute", "retype", "age", "number"], "number")]:
        code, out, err = server.run(*arguments)
        checks.true(f"{' '.join(arguments)[:60]} is refused", code in (1, 2) and err, f"exit {code}: {out}{err}")
        checks.true(f"{' '.join(arguments)[:60]} names {word!r}", word in err, err[:300])
    checks.equal("nothing half applied", server.count("true"), 3)
    code, _, err = server.run("set", "crm:1", "new_one=1", "age=old")
    checks.equal("a write with one bad attribute is refused whole", code, 1)
    checks.true("its error names the attribute that clashes, not the new one", "age" in err and "new_one" not in err, err)
    checks.true("none of its attributes came to be", "new_one" not in server.ok("get", "crm:1"), err)


def check_files(checks, server, folder):
    def file(name, data):
        path = os.path.join(folder, name)
        with open(path, "wb") as out:
            out.write(data)
        return path

    good = b"id,age2,city\n1,30,Ede\n2,31,Delft\n"
    profiles = lambda path, *more: server.run("import", "profiles", path, "--id", "id:crm2", *more)
    checks.equal("a good file", profiles(file("good.csv", good))[0], 0)
    for name, data in [("empty.csv", b""), ("binary.csv", bytes(range(256)) * 50), ("cut.csv.gz", b"\x1f\x8b\x08\x00rubbish"),
                       ("noid.csv", b"a,b\n1,2\n")]:
        code, out, err = profiles(file(name, data))
        checks.true(f"{name} is refused with a sentence", code in (1, 2) and err, f"exit {code}: {out}{err}")
    for name, data, rejected in [("cells.csv", b"id,age2\n1,30\n2,31,32,33\n3,32\n", 1),
                                 ("noident.csv", b"id,age2\n1,30\n,31\n", 1),
                                 ("utf.csv", b"id,city\n1,ok\n2,\xff\xfe\xfd\x00\n", None),
                                 ("json.jsonl", b'{"id": "7", "age2": 3}\n{"id": "8", broken\n{"id": "9", "age2": 4}\n', 1)]:
        path = file(name, data)
        code, out, err = profiles(path)
        if rejected is not None:
            checks.equal(f"{name}: exit 1 for rejected rows", code, 1)
            lines = open(path + ".rejected", encoding="utf-8", errors="replace").read().splitlines()
            checks.true(f"{name}: the rejected row is kept with its reason", len(lines) >= rejected, "\n".join(lines))
        else:
            checks.true(f"{name}: a definite end", code in (0, 1), f"exit {code}: {err}")
    checks.equal("age2 of the rows around a bad JSON line", server.count("age2 in (3, 4)"), 2)
    seed = int(os.environ.get("KORREL_SEED", "0")) or random.randrange(1 << 30)
    print("seed of the mutated files:", seed)
    chance = random.Random(seed)
    for round_number in range(25):
        data = bytearray(good * 5)
        for _ in range(chance.randrange(1, 12)):
            data[chance.randrange(len(data))] = chance.choice(b'",\n\r\x00\xff;\t0Z')
        code, out, err = profiles(file("mutated.csv", bytes(data)))
        checks.true(f"mutated file {round_number} ends with an exit code of ours", code in (0, 1, 2), f"exit {code}: {out[-300:]}{err[-300:]}")


def check_no_server(checks):
    start = time.monotonic()
    result = subprocess.run([os.path.join(PROGRAMS, "korrel"), "--server", "127.0.0.1:1", "count", "true"], capture_output=True, text=True, timeout=20)
    checks.true("without a server: exit 1 and a sentence", result.returncode == 1 and "127.0.0.1:1" in result.stderr, result.stderr)
    print(f"without a server the command took {time.monotonic() - start:.2f} s")
    result = subprocess.run([os.path.join(PROGRAMS, "korrel"), "cuont", "true"], capture_output=True, text=True, timeout=20)
    checks.equal("wrong usage is exit 2", result.returncode, 2)


def check_watches(checks, server):
    for start in ("", "1e3"):
        code, out, err = server.run("segment", "watch", "--from", start, timeout=20)
        checks.true(f"a watch from {start!r} is wrong usage", code == 2 and f"'{start}' is not a position" in err, f"exit {code}: {out}{err}")
    code, out, err = server.run("segment", "watch", "--from", "2000000000000000000")
    checks.true("a position that never was is refused", code == 1 and "none of this database" in err, f"exit {code}: {out}{err}")
    checks.true("nobody is sent back to it", "go on with" not in err, err)


def check_raw_bytes(checks, server):
    """Bytes that are not gRPC at all."""
    import socket
    host, port = server.address.split(":")
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 5_000, os.urandom(4_096), b""):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(data)
    checks.equal("the server goes on after raw bytes", server.run("count", "true")[0], 0)


def main():
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder, Server("--shards", "2") as server:
        server.ok("set", "crm:1", "age=41", "country=NL", "tier=gold")
        server.ok("set", "crm:2", "age=29", "country=BE")
        server.ok("track", "crm:3", "order", "amount=12.50", "category=shoes")
        check_expressions(checks, server)
        check_writes(checks, server)
        check_files(checks, server, folder)
        check_raw_bytes(checks, server)
        check_watches(checks, server)
        checks.equal("the server still answers", server.count("country = 'NL'"), 1)
    check_no_server(checks)
    checks.finish()


if __name__ == "__main__":
    main()
