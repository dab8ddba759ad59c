# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The main job, shown: a real model compiled to int8, run on real data three ways, and its receipt (scripts/demo)."""

import argparse
import os
import sys
import time

import numpy as np

from evaluation import digits, peers
from evaluation.efficientnet_lite0 import agreement
from evaluation.report import cosine, sqnr
from evaluation.tools import Tools
from models import build, photographs


def latency(model, feed):
    """Milliseconds of the fastest of many calls."""
    times = []
    end = time.perf_counter() + 0.5
    while time.perf_counter() < end:
        start = time.perf_counter()
        model.run(**feed)
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def show_receipt(model, most=12):
    receipt, totals = model.receipt, model.receipt["totals"]
    print(f"\nReceipt: {totals['int_macs']:,} of {totals['total_macs']:,} multiply-accumulates are integer, "
          f"{totals['fallbacks']} fallbacks, {totals['weights_bytes']:,} bytes of weights")
    print(f"  {'layer':34} {'kernel':12} {'precision':22} {'accumulator bound':28} instruction")
    for layer in receipt["layers"][:most]:
        bound = layer.get("accumulator_bound") or ""
        print(f"  {layer['name'][:34]:34} {layer['kernel']:12} {layer['realised'][:22]:22} {bound!s:28} "
              f"{layer.get('instructions', {}).get(model.variant, '')}")
    if len(receipt["layers"]) > most:
        print(f"  ... and {len(receipt['layers']) - most} more; q-run MODEL.so --receipt prints all")


def demo_digits(tools):
    from qdialect import Model

    images, labels = digits.test_set()
    print(f"The digits CNN ({os.path.relpath(digits.MODEL)}) on {len(images)} handwritten test digits\n")
    common = ("--calibration", digits.CALIBRATION, "--recipe", "w8a8-int", "--fail-on-fallback")
    float_so = tools.compile(digits.MODEL, tools.path("float.so"), "--recipe", "float")
    program = tools.compile(digits.MODEL, tools.path("int8.mlir"), *common, "--stop-after=integerize")
    so = tools.compile(digits.MODEL, tools.path("int8.so"), *common)
    rows = [("float, ONNX Runtime", peers.run_all(digits.MODEL, "image", images), None, digits.MODEL),
            ("float, compiled", digits.run_so(float_so, images), float_so, float_so),
            ("int8, interpreter", digits.interpret(tools, program, images, "interpreted"), None, None),
            ("int8, compiled", digits.run_so(so, images), so, so)]
    print(f"  {'road':24} {'accuracy':>9} {'file':>10} {'latency':>10}")
    for name, logits, library, file in rows:
        correct = f"{np.mean(np.argmax(logits, -1) == labels) * 100:.2f} %"
        size = f"{os.path.getsize(file) / 1e3:.0f} kB" if file else ""
        speed = ""
        if library:
            with Model(library, threads=1) as model:
                speed = f"{latency(model, {'image': images[:1]}) * 1e3:.0f} us"
        print(f"  {name:24} {correct:>9} {size:>10} {speed:>10}")
    unequal = int(np.sum(rows[2][1] != rows[3][1]))
    print(f"\n  interpreter and compiled int8 differ in {unequal} of {rows[2][1].size} logits")
    with Model(so) as model:
        show_receipt(model)
    return 1 if unequal else 0


def demo_image_model(tools, name):
    from qdialect import Model

    model = build.cached(name)
    calibration, crops = photographs.calibration(), photographs.evaluation(128)
    np.savez(tools.path("data.npz"), image=calibration)
    so = tools.compile(model, tools.path("int8.so"), "--calibration", tools.path("data.npz"), "--recipe", "w8a8-int")
    float_so = tools.compile(model, tools.path("float.so"), "--recipe", "float")
    logits = {}
    print(f"{name} on {len(crops)} crops of photographs that did not calibrate it, 2 threads\n")
    for what, library in (("float", float_so), ("int8", so)):
        with Model(library, threads=2) as m:
            out = m.outputs[0].name
            logits[what] = np.concatenate([m.run(image=x[None])[out] for x in crops])
            milliseconds = latency(m, {"image": crops[:1]})
            print(f"  {what:6} {milliseconds:8.2f} ms  {os.path.getsize(library) / 1e6:8.2f} MB")
    print(f"\n  int8 against float: SQNR {sqnr(logits['float'], logits['int8']):.2f} dB, cosine "
          f"{cosine(logits['float'], logits['int8']):.4f}, top-1 agreement "
          f"{agreement(logits['float'], logits['int8']):.1f} %")
    with Model(so) as m:
        show_receipt(m)
    return 0


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--model", choices=["digits", "efficientnet-lite0", "resnet50"], default="digits")
    parser.add_argument("--build", default="build")
    args = parser.parse_args()
    tools = Tools(args.build)
    return demo_digits(tools) if args.model == "digits" else demo_image_model(tools, args.model)


if __name__ == "__main__":
    sys.exit(main())
