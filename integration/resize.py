# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Images that are enlarged and shrunk between convolutions, in floats, in bytes and without any float.

Random methods, factors and sizes. In floats the results are ONNX Runtime's. Where nearest neighbours repeat a whole
number of times the codes are copied: nothing but the rounding of the input and of the sums is lost. Without floats the
library equals the interpreter bit for bit on every CPU variant, and comes as close to the float result as one that
interpolates in floats.
"""

import argparse
import sys

import numpy as np
import onnx
from onnx import TensorProto

from evaluation import peers
from evaluation.report import sqnr
from evaluation.tools import Tools, variants_here
from integration.dynamic_graphs import Graph

MODES = [
    ("nearest", "asymmetric", "floor"),
    ("nearest", "half_pixel", "round_prefer_floor"),
    ("nearest", "half_pixel", "ceil"),
    ("linear", "half_pixel", None),
    ("linear", "align_corners", None),
    ("linear", "asymmetric", None),
    ("cubic", "half_pixel", None),
]


def network(rng, index, mode, coordinates, nearest):
    """Two convolutions, behind the first a relu, leaky or not, and a resize.

    Half of the time a sum reads what is resized, too.
    """
    g, channels = Graph(rng), int(rng.integers(1, 40))
    height, width = (int(v) for v in rng.integers(3, 12, 2))
    x = g.op("Conv", "x", g.weight(channels, 3, 3, 3), g.weight(channels), pads=[1, 1, 1, 1])
    if index % 3 == 0:
        x = g.op("Relu", x)
    elif index % 3 == 1:
        x = g.op("LeakyRelu", x, alpha=0.1)
    else:
        x = g.op("PRelu", x, g.constant(rng.uniform(-0.5, 1.5, (channels, 1, 1)).astype(np.float32)))
    whole = rng.random() < 0.5
    factors = rng.integers(2, 4, 2).astype(np.float32) if whole else rng.uniform(0.6, 2.7, 2).astype(np.float32)
    more = {"nearest_mode": nearest} if nearest else {}
    y = g.op("Resize", x, "", g.constant(np.array([1, 1, *factors], np.float32)), mode=mode,
             coordinate_transformation_mode=coordinates, **more)
    if rng.random() < 0.5:
        y = g.op("Add", g.op("GlobalAveragePool", x), y)
    g.op("Conv", y, g.weight(4, channels, 3, 3), pads=[1, 1, 1, 1], name="y")
    model = g.model("resize", [("x", TensorProto.FLOAT, [1, 3, height, width])],
                    [("y", TensorProto.FLOAT, [1, 4, "h", "w"])])
    sizes = f"{height}x{width} x {factors[0]:.3g}, {factors[1]:.3g}, {channels} channels"
    kind = f"{mode} {coordinates} {nearest or ''} {sizes}"
    return model, kind, (1, 3, height, width)


def check(tools, rng, index, method):
    from qdialect import Model

    model, kind, shape = network(rng, index, *method)
    path, problems = tools.path(f"{index}.onnx"), []
    onnx.save(model, path)
    samples = rng.standard_normal((8, *shape)).astype(np.float32)
    np.savez(tools.path("samples.npz"), x=samples)
    x = rng.standard_normal(shape).astype(np.float32)
    np.save(tools.path("x.npy"), x)
    (wanted,) = peers.session(path, optimize=False).run(None, {"x": x})
    with Model(tools.compile(path, tools.path(f"{index}-float.so"), "--recipe=float")) as compiled:
        worst = float(np.abs(compiled.run(x=x)["y"] - wanted).max())
    if worst > 1e-4:
        problems.append(f"differs from ONNX Runtime by {worst:.2e}")
    quality = {}
    for recipe in ("w8a8-int", "integer-only"):
        options = ("--calibration", tools.path("samples.npz"), f"--recipe={recipe}", "--fail-on-fallback")
        library = tools.compile(path, tools.path(f"{index}-{recipe}.so"), *options)
        with Model(library) as compiled:
            quality[recipe] = sqnr(wanted, compiled.run(x=x)["y"])
        if recipe == "integer-only":
            program = tools.compile(path, tools.path("integer.mlir"), *options, "--stop-after=integerize")
            for variant in variants_here(library):
                tools.run("q-run", library, "--input", tools.path("x.npy"), "--compare", program, "--require-equal",
                          env={"QDIALECT_CPU": variant})
    if quality["integer-only"] < quality["w8a8-int"] - 2:
        problems.append(f"{quality['integer-only']:.1f} dB, with floats {quality['w8a8-int']:.1f}")
    decibels = ", ".join(f"{value:.1f}" for value in quality.values())
    print(f"{kind}: {'; '.join(problems) or 'ok'} ({decibels} dB)", flush=True)
    return bool(problems)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=len(MODES))
    args = parser.parse_args()
    tools, rng, failed = Tools(args.build), np.random.default_rng(args.seed), 0
    print(f"seed {args.seed}")
    for index in range(args.count):
        failed += check(tools, rng, index, MODES[index % len(MODES)])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
