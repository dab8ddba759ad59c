#!/usr/bin/env python3
# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run the ONNX project's own backend tests (the data inside the PyPI package `onnx`) through the compiler.

    conformance.py [--build build] [--mode compile|interpret|both] [--folders node,simple,...] [--json F] [filter]

Every case is imported and either compiled for this machine and run, or interpreted. Outputs must agree with the stored
ones within the case's own tolerance (ONNX's runner: rtol 1e-3, atol 1e-7). A case whose shape-giving operands (the shape
of Reshape, the axes of ReduceSum) are graph inputs is tried again with those inputs as constants, as exporters write
them, and counted apart as "constant".

expected_failures.txt names what fails and why. A case that fails without standing there, or passes although it stands
there, fails the run.
"""

import argparse
import collections
import fnmatch
import os
import queue
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(os.path.dirname(HERE))]  # also when run as a script

import conformance_cases as cases
import conformance_goals as goals
import conformance_worker as worker

from evaluation.report import Report

FOLDERS = ["node", "simple", "pytorch-converted", "pytorch-operator", "light"]
# A slice through everything for the quick run: every 7th case, always the same ones.
QUICK_STEP = 7


def read_expected(path):
    """[(pattern, reason)] in the order of the file."""
    rows = []
    with open(path) as file:
        for line in file:
            line = line.split("#", 1)[0].rstrip()
            if line:
                pattern, _, reason = line.partition(" ")
                rows.append((pattern, reason.strip()))
    return rows


def expected_reason(rows, name):
    return next((reason for pattern, reason in rows if fnmatch.fnmatchcase(name, pattern)), None)


def run_all(work, binary, jobs):
    """{(case, mode): Outcome}, computed by `jobs` worker processes."""
    todo, outcomes = queue.Queue(), {}
    for item in work:
        todo.put(item)

    def serve():
        with worker.Worker(binary) as process, tempfile.TemporaryDirectory() as folder:
            while True:
                try:
                    case, mode = todo.get_nowait()
                except queue.Empty:
                    return
                outcomes[case.name, mode] = cases.run(case, mode, process, folder)

    threads = [threading.Thread(target=serve) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def share(passed, total):
    return f"{passed:5} of {total:5}  {100 * passed / max(total, 1):5.1f} %"


def print_shares(title, groups):
    """One line a group: how many pass as they are, and with constant operands."""
    print(f"{title}:")
    for name, outcomes in sorted(groups.items()):
        good = sum(o.passed for o in outcomes)
        constant = sum(o.passed and o.frozen for o in outcomes)
        print(f"  {name:34} {share(good, len(outcomes))}" + (f"  ({constant} constant)" if constant else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--mode", choices=["compile", "interpret", "both"], default="compile")
    parser.add_argument("--folders", default=",".join(FOLDERS))
    parser.add_argument("--jobs", type=int, default=max(1, min(os.cpu_count() or 1, 4)))
    parser.add_argument("--quick", action="store_true", help=f"every {QUICK_STEP}th case, without light")
    parser.add_argument("--failures", action="store_true", help="print every failing case with its message")
    parser.add_argument("--json")
    parser.add_argument("filter", nargs="?", default="", help="cases whose name contains this; globs; several by comma")
    args = parser.parse_args()

    folders = [f for f in args.folders.split(",") if not (args.quick and f == "light")]
    selected = [c for folder in folders for c in cases.load(folder) if matches(c.name, args.filter)]
    if args.quick:
        selected = selected[::QUICK_STEP]
    if not selected:
        print(f"no case contains '{args.filter}'")
        return 1
    modes = ["interpret", "compile"] if args.mode == "both" else [args.mode]
    # The interpreter walks the payload of a large network for minutes; the folder says nothing that others do not.
    work = [(c, m) for c in selected for m in modes if m == "compile" or c.folder != "light"]
    start = time.monotonic()
    outcomes = run_all(work, os.path.join(args.build, "bin", "q-batch"), args.jobs)
    took = time.monotonic() - start

    expected = read_expected(os.path.join(HERE, "expected_failures.txt"))
    bad, by_operator, by_folder = [], collections.defaultdict(list), collections.defaultdict(list)
    reasons = collections.Counter()
    for case, mode in work:
        outcome, reason = outcomes[case.name, mode], expected_reason(expected, case.name)
        by_operator[case.operator].append(outcome)
        by_folder[f"{case.folder} ({mode})"].append(outcome)
        if not outcome.passed:
            reasons[(reason or "UNEXPECTED").split(":", 1)[0]] += 1
        if outcome.passed and reason is not None:
            bad.append(f"{case.name} ({mode}) passes: remove it from expected_failures.txt")
        if not outcome.passed and reason is None:
            bad.append(f"{case.name} ({mode}): {outcome.message}")
        if not outcome.passed and args.failures:
            print(f"  {case.name} ({mode}): {outcome.message}")
    print_shares("by operator", by_operator)
    print_shares("by folder", by_folder)
    print_shares("all", {"": list(outcomes.values())})
    rows = Report()
    whole = not args.quick and not args.filter and "node" in folders
    for mode in modes:
        goals.report(rows, selected, outcomes, mode,
                     lambda name: (expected_reason(expected, name) or "").startswith("excluded"), whole)
    print("not passing: " + ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()))
    print(f"{len(work)} runs in {took:.0f} s with {args.jobs} processes")
    for line in bad:
        print(f"FAIL {line}")
    if args.json:
        for name, group in sorted(by_folder.items()):
            rows.add("onnx-conformance", name, "share passed", sum(o.passed for o in group) / len(group))
        rows.add("onnx-conformance", "all", "unexpected results", len(bad), ("==", 0), "expected_failures.txt")
        rows.write(args.json)
    return 1 if bad else 0


def matches(name, texts):
    return any(fnmatch.fnmatchcase(name, t) if any(c in t for c in "*?[") else t in name for t in texts.split(","))


if __name__ == "__main__":
    sys.exit(main())
