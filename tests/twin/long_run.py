#!/usr/bin/env python3
"""The model tests for as long as it takes to reach a number of operations, in parts of a few seeds each.

usage: long_run.py PROGRAMS_DIRECTORY RECORD_FILE [OPERATIONS]

Every finished part is a line of RECORD_FILE ({"program", "seed", "rounds", "operations", "recomputed", "seconds"}), so that a run that was
stopped goes on where it was; a seed is never run twice by the same program. An operation is one write, event, list change, move of the clock or
definition, applied to the twin and to databases of three layouts and followed by its checks; "recomputed" counts profiles whose every
segment the twin worked out from raw events at an instant, of which a move of the clock has many. A part that fails is not recorded: its output
is kept beside the record, its seed is printed, and the run ends with exit status 1 once the parts that were under way are done.

Environment: KORREL_JOBS parts at a time (default: all cores), KORREL_ROUNDS seeds in a part (default 20).
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

PROGRAMS = ["live_model_test", "engine_model_test", "live_model_test", "three_ways_test", "live_model_test", "evaluator_model_test"]
ROUNDS = int(os.environ.get("KORREL_ROUNDS", "20"))
JOBS = int(os.environ.get("KORREL_JOBS", os.cpu_count() or 1))


def read_record(path):
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    return [json.loads(line) for line in lines if line.endswith("}")]  # a line cut short by a stop is a part not finished


def counted(results, what):
    return sum(int(test.get(what, 0)) for suite in results["testsuites"] for test in suite["testsuite"])


def run_part(directory, record, program, seed):
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        results = pathlib.Path(scratch) / "results.json"
        environment = dict(os.environ, KORREL_SEED=str(seed), KORREL_ROUNDS=str(ROUNDS))
        done = subprocess.run([directory / program, f"--gtest_output=json:{results}"], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            output = record.with_name(f"{program}-{seed}.txt")
            output.write_text(done.stdout)
            return None, f"{program} fails within seeds {seed} to {seed + ROUNDS - 1}: {output}"
        told = json.loads(results.read_text())
        part = {"program": program, "seed": seed, "rounds": ROUNDS, "operations": counted(told, "operations"),
                "recomputed": counted(told, "recomputed"), "seconds": round(time.monotonic() - begun, 1)}
        return part, None


def check_programs(directory):
    missing = sorted({program for program in PROGRAMS if not (directory / program).is_file()})
    if missing:
        sys.exit(f"{directory} lacks {', '.join(missing)}; build the twin's tests first")


class Run:
    def __init__(self, directory, record, wanted):
        self.directory, self.record, self.wanted = directory, record, wanted
        self.parts = read_record(record)
        self.next_seed = {program: 1 for program in PROGRAMS}
        for part in self.parts:
            self.next_seed[part["program"]] = max(self.next_seed[part["program"]], part["seed"] + part["rounds"])
        self.turn = len(self.parts)

    def done(self):
        return sum(part["operations"] for part in self.parts)

    def begin(self, pool):
        program = PROGRAMS[self.turn % len(PROGRAMS)]
        self.turn += 1
        seed = self.next_seed[program]
        self.next_seed[program] += ROUNDS
        return pool.submit(run_part, self.directory, self.record, program, seed)

    def note(self, part):
        self.parts.append(part)
        with self.record.open("a") as file:
            file.write(json.dumps(part) + "\n")
        recomputed = sum(part.get("recomputed", 0) for part in self.parts)
        print(f"{self.done():,} of {self.wanted:,} operations, {recomputed:,} recomputed; {part['program']} from seed {part['seed']}: {part['seconds']} s", flush=True)

    def go(self):
        failures = []
        with ThreadPoolExecutor(JOBS) as pool:
            running = set()
            while running or (not failures and self.done() < self.wanted):
                while len(running) < JOBS and not failures and self.done() < self.wanted:
                    running.add(self.begin(pool))
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for part, failure in (future.result() for future in finished):
                    if failure:
                        print(failure, flush=True)
                        failures.append(failure)
                    else:
                        self.note(part)
        return 1 if failures else 0


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    record = pathlib.Path(sys.argv[2])
    record.parent.mkdir(parents=True, exist_ok=True)
    check_programs(pathlib.Path(sys.argv[1]))
    return Run(pathlib.Path(sys.argv[1]), record, int(sys.argv[3]) if len(sys.argv) == 4 else 10_000_000).go()


if __name__ == "__main__":
    sys.exit(main())
