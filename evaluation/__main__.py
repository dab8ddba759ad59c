# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Print figures beside their goals: scripts/evaluate SUITE... [--json F]."""

import argparse
import importlib
import sys

from evaluation.report import Report
from evaluation.tools import Tools

SUITES = {"digits": "evaluation.digits", "efficientnet-lite0": "evaluation.efficientnet_lite0",
          "topologies": "evaluation.topologies", "carried": "evaluation.carried",
          "minilm": "evaluation.minilm", "magika": "evaluation.magika", "silero": "evaluation.silero",
          "rewrites": "evaluation.rewrites", "smoothing": "evaluation.smoothing", "zoo": "evaluation.zoo",
          "integer-only": "evaluation.integer_only", "hawq": "evaluation.hawq",
          "certificates": "evaluation.certificates", "gpu": "evaluation.gpu"}


def main():
    parser = argparse.ArgumentParser(prog="scripts/evaluate", description=__doc__)
    parser.add_argument("suites", nargs="*", default=list(SUITES), metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--build", default="build", help="build folder whose tools are measured")
    parser.add_argument("--no-peers", action="store_true", help="leave out what needs ONNX Runtime or another peer")
    parser.add_argument("--quick", action="store_true", help="small models alone, where a suite has large ones too")
    parser.add_argument("--json", help="also write the rows to this file")
    args = parser.parse_args()
    unknown = [s for s in args.suites if s not in SUITES]
    if unknown:
        parser.error(f"unknown suite '{unknown[0]}'; there are: {', '.join(SUITES)}")
    report = Report()
    for suite in args.suites:
        tools = Tools(args.build, peers=not args.no_peers, quick=args.quick)
        importlib.import_module(SUITES[suite]).evaluate(report, tools)
    if args.json:
        report.write(args.json)
    missed = report.missed()
    print(f"{len(report.rows)} figures, {len(missed)} goals missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
