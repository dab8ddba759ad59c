# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Print speeds beside the peers', measured in one run: scripts/bench SUITE... [--json F] [--html F].

Every contestant lives in a process of its own; they take turns for some rounds, so that a drift of the machine's speed
hits all alike. Latency is the minimum and the median over all calls; ratios are paired by round and come with their lower
95 % bound, which is what a goal asks for; shares are of peaks that our own process measures between its calls.
"""

import argparse
import sys

from evaluation.bench import costs, gpu, kernels, models, page, peaks
from evaluation.report import Report
from evaluation.tools import Tools

SUITES = {"peak": peaks.suite, "gemm": kernels.gemm, "conv": kernels.conv, "depthwise": kernels.depthwise,
          "elementwise": kernels.elementwise, "w4": kernels.w4, "models": models.models, "compile": models.compile_times,
          "costs": costs.suite, "gpu": gpu.suite}


class Bench:
    """One run: its settings, what was made once for several suites, and what was measured."""

    def __init__(self, args):
        self.build, self.quick, self.tools, self.report = args.build, args.quick, Tools(args.build), Report()
        self.rounds = args.rounds or (4 if args.quick else 8)
        self.seconds = args.seconds or (0.05 if args.quick else 0.5)
        self.threads = (1,) if args.quick else (1, 2)
        self.peaks, self.models, self.points = peaks.Peaks(peaks.built_in(args.build)), {}, []
        here = self.peaks.here()
        self.int8_peak = here[0] if here else None  # the fastest is listed first

    def record(self):
        """Everything, for JSON and for the page."""
        roofs = {name: {"unit": self.peaks.units[name], "rate": self.peaks.measure(name)} for name in self.peaks.here()}
        return {"machine": peaks.machine(), "quick": self.quick, "rounds": self.rounds, "seconds": self.seconds,
                "peaks": roofs, "rows": self.report.rows, "points": self.points}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", default=list(SUITES), metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--build", default="build", help="build folder whose tools are measured")
    parser.add_argument("--quick", action="store_true", help="under three minutes: fewer layers, two models, one thread")
    parser.add_argument("--rounds", type=int, help="default 8, 4 with --quick")
    parser.add_argument("--seconds", type=float, help="of each contestant in each round; default 0.5, 0.05 with --quick")
    parser.add_argument("--json", help="also write everything measured to this file")
    parser.add_argument("--html", help="also draw it: one page with bars and a roofline")
    args = parser.parse_args()
    unknown = [s for s in args.suites if s not in SUITES]
    if unknown:
        parser.error(f"unknown suite '{unknown[0]}'; there are: {', '.join(SUITES)}")
    bench = Bench(args)
    print(peaks.described(peaks.machine()))
    for suite in args.suites:
        SUITES[suite](bench)
    if args.json:
        page.write_json(args.json, bench.record())
    if args.html:
        page.write_html(args.html, bench.record())
    missed = bench.report.missed()
    print(f"{len(bench.report.rows)} figures, {len(missed)} goals missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
