# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Build each seeded fault and run the suite until a test fails; exit code 1 when a fault survives.

A fault is a place in the sources that mentions `QDIALECT_MUTATE == <number>  // fault: <what is wrong>` (or the
comment on the line before). Number 0 is the sound program: it must pass everything, or kills would prove nothing.
"""

import argparse
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build-mutant")
FAULT = re.compile(r"QDIALECT_MUTATE\s*[!=]=\s*(\d+)")
KERNEL_TESTS = "CodeGenCPU"  # the long ones
COMMENT = re.compile(r"//\s*(?:[Ff]ault[^:]*:\s*)?(.*)")


def faults():
    """{number: (file:line, comment)} of every seeded fault in the sources."""
    found = {}
    listing = subprocess.run(["git", "grep", "-n", "-E", "QDIALECT_MUTATE *[!=]= *[0-9]+", "--", "include", "lib",
                              "runtime", "tools"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    for line in listing.splitlines():
        path, number, text = line.split(":", 2)
        fault = int(FAULT.search(text).group(1))
        with open(os.path.join(ROOT, path)) as file:
            lines = file.read().splitlines()
        near = [text, *lines[int(number) - 2 : int(number) + 1]]
        comment = next((m.group(1) for m in map(COMMENT.search, near) if m), "")
        found.setdefault(fault, (f"{path}:{number}", comment))
    return dict(sorted(found.items()))


def call(command, **more):
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          **more)


def build(fault):
    configure = ["cmake", BUILD] if os.path.exists(os.path.join(BUILD, "CMakeCache.txt")) else [
        "cmake", "--preset", "release", "-B", BUILD]
    for command in ([*configure, f"-DQDIALECT_MUTATE={fault}"], ["ninja", "-C", BUILD, "all", "QDialectUnitTests"]):
        done = call(command)
        if done.returncode:
            sys.exit(f"fault {fault}: the build failed\n{done.stdout[-3000:]}")


def suite():
    """The suite's stages, cheapest first; each is (name, command). ONNX Runtime takes no part in any."""
    lit = os.path.join(ROOT, ".cache", "venv", "bin", "lit")
    env = ["env", f"PYTHONPATH={ROOT}:{os.path.join(ROOT, 'python')}"]
    unit = ["ctest", "--test-dir", BUILD, "-j2", "--stop-on-failure"]  # which waits for the tests beside the failed one
    return [("unit tests", [*unit, "--exclude-regex", KERNEL_TESTS]),
            ("kernel tests", [*unit, "--tests-regex", KERNEL_TESTS]),
            ("lit", [lit, "-q", "--max-failures=1", os.path.join(BUILD, "test")]),
            ("digits", [*env, sys.executable, "-m", "evaluation", "digits", "--no-peers", "--build", BUILD]),
            ("random QDQ graphs", [*env, sys.executable, "-m", "integration.random_qdq", "--no-ort", "--count", "120",
                                   "--build", BUILD])]


def killer():
    for name, command in suite():
        if call(command).returncode:
            return name
    return None


def main():
    parser = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", type=int)
    args = parser.parse_args()
    known = faults()
    chosen = args.faults or [0, *known]
    survived = []
    for fault in chosen:
        if fault and fault not in known:
            parser.error(f"there is no fault {fault}; there are {', '.join(map(str, known))}")
        start = time.monotonic()
        build(fault)
        by = killer()
        place, comment = known.get(fault, ("", "the sound program"))
        verdict = ("passes" if by is None else f"FAILS in {by}") if fault == 0 else (
            f"killed by {by}" if by else "SURVIVED")
        if (by is None) == bool(fault):
            survived.append(fault)
        print(f"fault {fault:3} {verdict:32} {time.monotonic() - start:5.0f} s  {place}  {comment}", flush=True)
    print(f"{len(chosen) - len(survived)} passed, {len(survived)} failed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
