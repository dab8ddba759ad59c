# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""scripts/bench without its timings: every kind of layer that it times computes what ONNX Runtime computes, so that the
contestants do the same work; the bound of a paired ratio; the page."""

import argparse
import html.parser
import math
import sys

import numpy as np

from evaluation import peers
from evaluation.bench import page, peaks
from evaluation.bench.contest import paired_ratio
from evaluation.bench.kernels import Files
from evaluation.bench.layers import Convolution, Elements, NBits, Product
from evaluation.tools import Tools

LAYERS = [(Product(5, 64, 33, chain=2), ("u8", "s8", "w4", "f32")),
          (Convolution(9, 16, 24, 3, chain=2), ("u8", "s8", "w4", "f32")), (Convolution(12, 3, 16, 7, stride=2), ("u8",)),
          (Convolution(9, 32, 32, 3, groups=32, chain=2), ("u8", "f32")),
          *((Elements(name, (3, 40)), ("u8",)) for name in ("Add", "Sigmoid", "SiLU")),
          *((Elements(name, (3, 40)), ("f32",)) for name in ("Softmax", "LayerNormalization")),
          (NBits(3, 128, 48, 32), ("f32",))]
# Blocks are summed in floats in another order; codes of a chain follow the first code that differs.
FLOAT_TOLERANCE, SHARE_OF_EQUAL_CODES = 2e-5, 0.98


class Bench:
    def __init__(self, build):
        self.tools = Tools(build)


def differs(bench, layer, form):
    """What is wrong with our result, or None."""
    from qdialect import Model

    files = Files(bench, layer)
    feed = dict(np.load(files.feed(form)))
    (wanted,) = peers.session(files.onnx(form)).run(None, feed)
    with Model(files.compiled(form)) as model:
        (own,) = model.run(**feed).values()
    if form == "f32":
        worst = np.abs(own - wanted).max() / np.abs(wanted).max()
        bound = 0.02 if isinstance(layer, NBits) else FLOAT_TOLERANCE  # activations of 8 bits, chosen by each its own way
        return f"relative difference {worst}" if worst > bound else None
    steps = np.abs(own.astype(int) - wanted)
    if steps.max() > 1 or np.mean(steps == 0) < SHARE_OF_EQUAL_CODES:
        return f"{np.mean(steps == 0):.4f} of the codes equal, at most {steps.max()} steps apart"
    return None


def check_ratios():
    """Twice the speed in every round; four rounds whose deviation is known, with t(3) = 2.353."""
    ratio, bound = paired_ratio([1, 1, 1, 1], [2, 2, 2, 2])
    noisy, low = paired_ratio([1, 1, 1, 1], [math.e, 1 / math.e, math.e, 1 / math.e])
    wanted = math.exp(-2.353 * math.sqrt(4 / 3) / 2)
    return all(map(math.isclose, (ratio, bound, noisy, low), (2, 2, 1, wanted)))


class Tags(html.parser.HTMLParser):
    """Whether every tag is closed in its order."""

    def __init__(self):
        super().__init__()
        self.open, self.well = [], True

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "circle", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("circle", "path"):
            self.well &= bool(self.open) and self.open.pop() == tag


def check_page():
    rows = [{"suite": "gemm", "case": "a<b", "metric": f"{who} GMAC/s", "value": value, "reference": None, "goal": None,
             "ok": None} for who, value in (("ours", 2.0), ("ORT", 1.0))]
    rows.append({**rows[0], "metric": "share of peak", "goal": ">= 0.9", "ok": False})
    record = {"machine": {**peaks.machine(), "cpu": "<chip>"}, "quick": True, "rounds": 2, "seconds": 0.1, "rows": rows,
              "peaks": {"dot": {"unit": "GMAC/s", "rate": 100.0}, "memory read": {"unit": "GB/s", "rate": 10.0}},
              "points": [{"suite": "gemm", "case": "a<b", "who": "ours", "threads": 1, "intensity": 50.0, "rate": 2.0}]}
    text, tags = page.page(record), Tags()
    tags.feed(text)
    return tags.well and tags.open == [] and "<chip>" not in text and "a&lt;b" in text and "<svg" in text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    args = parser.parse_args()
    bench, failed = Bench(args.build), 0
    for layer, forms in LAYERS:
        for form in forms:
            if wrong := differs(bench, layer, form):
                failed += 1
                print(f"{layer.name} {form}: {wrong}")
    for name, good in (("the bound of a ratio", check_ratios()), ("the page", check_page())):
        if not good:
            failed += 1
            print(f"{name} is wrong")
    machine = peaks.Peaks(peaks.built_in(args.build))
    if not machine.here() or any(machine.measure(name, seconds=0) <= 0 for name in machine.here()):
        failed += 1
        print("a peak of this machine was not measured")
    print(f"{sum(len(forms) for _, forms in LAYERS)} layers beside ONNX Runtime, {failed} checks failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
