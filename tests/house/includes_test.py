"""The walls of the house: no room includes a room to its left, and each third-party library has one door.

storage <- index <- engine <- server; clients see the wire and storage's value types alone; tests and bench look everywhere.
"""

import os
import re
import sys

ROOMS = {
    "storage": {"storage"},
    "index": {"storage", "index"},
    "engine": {"storage", "index", "engine"},
    "server": {"storage", "index", "engine", "server", "proto"},
    "clients": {"clients", "proto"},
}
# Beyond the rooms: single headers a room may use.
ALSO = {"clients": {"storage/status.h", "storage/value.h"}}
# A library's headers, and the only files that may name them.
DOORS = {
    r"roaring/": r"index/posting\.cc",
    r"hwy/": r"index/kernel\.(h|cc)",
    r"(oneapi/)?tbb/": r"engine/executor\.cc",
    r"yaml-cpp/": r"clients/cli/.*yaml.*|clients/cli/catalog_file.*|server/options.*",
    r"(grpcpp|grpc)/": r"(server|clients)/.*",
    r"google/protobuf/": r"(server|clients)/.*",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def target_room(path):
    if path.startswith("korrel/v1/") or path.startswith("google/rpc/"):
        return "proto"
    head = path.split("/", 1)[0]
    return head if head in ROOMS or head in ("tests", "bench") else None


def violations_in(path, text):
    room = path.split("/", 1)[0]
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match.group(2)
        target = target_room(header)
        if target and target not in ROOMS[room] and header not in ALSO.get(room, ()):
            found.append(f"{path}:{number}: {room}/ must not include {header}")
        for library, door in DOORS.items():
            if re.match(library, header) and not re.fullmatch(door, path):
                found.append(f"{path}:{number}: {header} is included behind its one door only ({door})")
    return found


def self_check():
    """The test can fail: planted violations are seen, lawful includes are not."""
    assert violations_in("storage/a.cc", '#include "index/posting.h"\n')
    assert violations_in("index/a.cc", "#include <roaring/roaring.h>\n")
    assert violations_in("engine/a.cc", '#include "korrel/v1/value.pb.h"\n')
    assert violations_in("clients/cpp/a.cc", '#include "engine/database.h"\n')
    assert not violations_in("engine/a.cc", '#include "index/posting.h"\n#include <vector>\n')
    assert not violations_in("clients/cpp/a.cc", '#include "storage/value.h"\n')


def main():
    self_check()
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found, files = [], 0
    for room in ROOMS:
        for folder, _, names in os.walk(os.path.join(root, room)):
            for name in sorted(names):
                if name.endswith((".h", ".cc")):
                    path = os.path.relpath(os.path.join(folder, name), root)
                    files += 1
                    with open(os.path.join(root, path), encoding="utf-8") as source:
                        found += violations_in(path, source.read())
    print("\n".join(found) if found else f"includes: {files} files keep the direction of the rooms")
    return 1 if found or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
