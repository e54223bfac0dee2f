"""Every C++ file is as clang-format would write it. Exit 77 (skipped) where clang-format is not installed."""

import os
import shutil
import subprocess
import sys


def main():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if not shutil.which("clang-format"):
        print("skipped: clang-format is not installed (./dev setup format)")
        return 77
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.h", "*.cc"], cwd=root, capture_output=True,
                            text=True, check=True).stdout.split()
    files = [name for name in listed if os.path.exists(os.path.join(root, name))]
    result = subprocess.run(["clang-format", "--dry-run", "--Werror", *files], cwd=root, capture_output=True, text=True)
    if result.returncode:
        wrong = sorted({line.split(":")[0] for line in result.stderr.splitlines() if "clang-format-violations" in line})
        print("not formatted (./dev format mends it):", *wrong, sep="\n  ")
        return 1
    print(f"format: {len(files)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
