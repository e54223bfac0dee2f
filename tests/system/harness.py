"""Starts the real programs for the system tests and compares answers. Standard library only."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = os.environ.get("KORREL_PROGRAMS") or os.path.join(ROOT, "build", "release", "bin")


def skip(reason):
    print("skipped:", reason)
    sys.exit(77)


class Server:
    """korreld on a free loopback port, stopped at the end of the with-block; its exit code and log are checked."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        port_file = os.path.join(self.folder.name, "port")
        self.log_path = os.path.join(self.folder.name, "log")
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen([os.path.join(PROGRAMS, "korreld"), "--in-memory", "--listen", "127.0.0.1:0", "--port-file", port_file,
                                         *self.options], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        until = time.monotonic() + 30
        while not (os.path.exists(port_file) and os.path.getsize(port_file)):
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError("korreld did not start:\n" + open(self.log_path).read())
            time.sleep(0.02)
        self.address = "127.0.0.1:" + open(port_file).read().strip()
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self.log.close()
        log = open(self.log_path).read()
        self.folder.cleanup()
        if kind is None and code != 0:
            raise AssertionError(f"korreld ended with {code}:\n{log}")

    def run(self, *arguments, input_text=None, timeout=300):
        """(exit code, stdout, stderr) of one korrel command."""
        result = subprocess.run([os.path.join(PROGRAMS, "korrel"), "--server", self.address, *arguments], capture_output=True, text=True,
                                input=input_text, timeout=timeout)
        return result.returncode, result.stdout, result.stderr

    def ok(self, *arguments, **options):
        code, out, err = self.run(*arguments, **options)
        if code != 0:
            raise AssertionError(f"korrel {' '.join(arguments)}: exit {code}\n{out}{err}{self.state()}")
        return out

    def state(self):
        """What became of korreld, for the message of a failure."""
        code = self.process.poll()
        return f"korreld {'runs' if code is None else f'ended with {code}'}; its log:\n{open(self.log_path).read()[-2000:]}"

    def json(self, *arguments):
        return json.loads(self.ok("--output", "json", *arguments))

    def json_lines(self, *arguments):
        return [json.loads(line) for line in self.ok("--output", "json", *arguments).splitlines()]

    def count(self, expression):
        return int(self.ok("count", expression))

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")


class Checks:
    """Counts comparisons, prints every difference, fails at the end."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def equal(self, what, got, want):
        if got == want:
            self.passed += 1
        else:
            self.failed += 1
            print(f"DIFFERENT {what}\n  korrel:   {str(got)[:2000]}\n  expected: {str(want)[:2000]}")

    def true(self, what, condition, detail=""):
        self.equal(what + (f" ({detail})" if detail and not condition else ""), bool(condition), True)

    def finish(self):
        print(f"{self.passed} comparisons equal, {self.failed} different")
        sys.exit(1 if self.failed or not self.passed else 0)
