# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Equivalent rewrites of a model (integration/rewriter.py) reach the same integer share and the same kernels.

The digits CNN, float and as ONNX Runtime's tools quantize it, small networks of the kinds that exporters write, and the
encoder of a transformer; every rewrite alone and all of them together. `scripts/evaluate rewrites` has the large models.
"""

import argparse
import os
import sys

import numpy as np

from evaluation import carried, digits
from evaluation.tools import Tools
from integration import rewrite_models
from integration.rewriter import outcomes

RNG_SEED = int(os.environ.get("QDIALECT_TEST_SEED", "1"))


def check(tools, name, path, *args):
    (_, wanted), *others = outcomes(tools, name.replace(" ", "-"), path, RNG_SEED, *args)
    different = [(label, found) for label, found in others if found != wanted]
    for label, found in different:
        print(f"{name}: {label}: {found} instead of {wanted}")
    if not different:
        print(f"{name}: {len(others)} rewrites, the same {dict(wanted.kernels)}")
    return len(different)


def check_calibrated(tools, name, path, samples):
    data = tools.path(f"{name}.npz")
    np.savez(data, **samples)
    return check(tools, name, path, "--calibration", data, "--recipe", "w8a8-int")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", default="", help="the cases whose name has this in it")
    args = parser.parse_args()
    print(f"seed {RNG_SEED}")
    tools = Tools(args.build)
    images = np.load(digits.CALIBRATION)["image"].astype(np.float32)
    failed = 0
    if args.only in "digits":
        failed += check_calibrated(tools, "digits", digits.MODEL, {"image": images[:4]})
    for name, path in carried.cases(tools, "digits", digits.MODEL, images[:16], short=True):
        if args.only in name:
            failed += check(tools, name, path)
    for name in rewrite_models.NAMES:
        if args.only in name:
            path = tools.path(f"{name}-model.onnx")
            failed += check_calibrated(tools, name, path, rewrite_models.build(name, path, RNG_SEED))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
