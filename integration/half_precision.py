# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The digits CNN in float16 and bfloat16: float and int8 libraries are those of the float32 model with the same weights,
bit for bit, on every CPU variant; inputs and outputs of half precision keep their type."""

import argparse
import sys

import numpy as np

from evaluation.digits import CALIBRATION, MODEL, run_so, test_set
from evaluation.tools import Tools, variants_here
from models import half


def rounded(values, bfloat):
    """float32 numbers that half precision has."""
    if bfloat:
        return (half.bfloat16_bits(values).astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float16).astype(np.float32)


def run_half(so, images, bfloat, variant):
    """Images and logits in half precision; bfloat16 is passed as its bits."""
    from qdialect import Model

    results = []
    with Model(so, threads=1, variant=variant) as m:
        for image in images:
            given = half.bfloat16_bits(image[None]) if bfloat else image[None].astype(np.float16)
            y = np.asarray(m.run(image=given)["logits"])
            if y.dtype.itemsize != 2:
                raise RuntimeError(f"logits are {y.dtype}, not of half precision")
            results.append((y.view(np.uint16).astype(np.uint32) << 16).view(np.float32) if bfloat
                           else y.astype(np.float32))
    return np.concatenate(results)


def libraries(tools, model, name, calibration):
    common = ("--target-cpu=znver4,haswell,x86-64",)
    yield "float", tools.compile(model, tools.path(f"{name}-float.so"), "--recipe=float", *common)
    yield "int8", tools.compile(model, tools.path(f"{name}-int8.so"), "--recipe=w8a8-int", "--calibration", calibration,
                                "--fail-on-fallback", *common)


def check(tools, count):
    images = test_set()[0][:count]
    kinds = {"float16 inside": (lambda path: half.to_float16(MODEL, path), False, False),
             "float16": (lambda path: half.to_float16(MODEL, path, keep_io=False), True, False),
             "bfloat16": (lambda path: half.to_bfloat16(MODEL, path), True, True)}
    problems = []
    for name, (convert, at_edge, bfloat) in kinds.items():
        stem = name.replace(" ", "-")
        model = convert(tools.path(f"{stem}.onnx"))
        twin = half.with_weights_of(model, MODEL, tools.path(f"{stem}-twin.onnx"))
        given, calibration = images, CALIBRATION
        if at_edge:  # the half precision model rounds what it is given
            given, calibration = rounded(images, bfloat), tools.path(f"{stem}.npz")
            np.savez(calibration, **{k: rounded(v, bfloat) for k, v in np.load(CALIBRATION).items()})
        for (precision, so), (_, reference) in zip(libraries(tools, model, stem, CALIBRATION),
                                                   libraries(tools, twin, f"{stem}-twin", calibration), strict=True):
            for variant in variants_here(so):
                if at_edge:
                    y = run_half(so, given, bfloat, variant)
                    wanted = rounded(run_so(reference, given, variant=variant), bfloat)
                else:
                    y, wanted = run_so(so, given, variant=variant), run_so(reference, given, variant=variant)
                if not np.array_equal(y, wanted):
                    problems.append(f"{name} {precision} {variant}: {int(np.sum(y != wanted))} of {y.size} logits differ, "
                                    f"by up to {np.abs(y - wanted).max()}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--count", type=int, default=100)
    args = parser.parse_args()
    problems = check(Tools(args.build), args.count)
    print("half precision: " + ("; ".join(problems) or f"ok, {args.count} images"))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
