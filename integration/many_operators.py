# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks of operators that seldom meet, in integers: images (parametric, leaky, hard activations, dilated depthwise and
grouped convolutions, squeeze and excitation, enlarged images, transposed convolution, instance norm, attention, layer norm,
GELU) and films (convolutions and pools of three dimensions). As `w8a8-int` and `integer-only`, with a fixed and a symbolic
batch. Nothing falls back, the bits are the interpreter's, samples of a batch do not disturb each other, and the result is
close to the float model's."""

import argparse
import sys

import numpy as np
import onnx
from onnx import TensorProto

from evaluation.digits import interpret_results
from evaluation.peers import session
from evaluation.report import sqnr
from evaluation.tools import Tools
from integration.dynamic_graphs import Graph

SIZE, COUNT, LEAST_DB = 32, 4, 25


def affine(g, size):
    return g.constant(g.rng.uniform(0.5, 1.5, size).astype(np.float32)), g.weight(size)


def stem(g):
    x = g.op("Conv", "x", g.weight(24, 3, 5, 5), g.weight(24), strides=[2, 2], pads=[2] * 4)
    x = g.op("PRelu", x, g.constant(g.rng.uniform(-0.2, 0.2, (24, 1, 1)).astype(np.float32)))
    y = g.op("Conv", x, g.weight(48, 1, 3, 3), group=24, dilations=[2, 2], pads=[2] * 4)
    y = g.op("HardSwish", y)
    gate = g.op("Relu", g.op("Conv", g.op("GlobalAveragePool", y), g.weight(12, 48, 1, 1), g.weight(12)))
    gate = g.op("HardSigmoid", g.op("Conv", gate, g.weight(48, 12, 1, 1), g.weight(48)))
    return g.op("Add", g.op("Conv", g.op("Mul", y, gate), g.weight(24, 48, 1, 1)), x)


def branches(g, x):
    first, second = (g.op("Slice", x, *(g.constant(np.int64([n])) for n in (start, start + 12, 1))) for start in (0, 12))
    first = g.op("LeakyRelu", g.op("Conv", first, g.weight(12, 6, 3, 3), group=2, pads=[1] * 4), alpha=0.1)
    second = g.op("MaxPool", second, kernel_shape=[3, 3], pads=[1] * 4)
    x = g.op("Concat", second, first, axis=1)
    x = g.op("Resize", x, "", g.constant(np.float32([1, 1, 2, 2])), mode="linear")
    x = g.op("ConvTranspose", x, g.weight(24, 16, 2, 2), strides=[2, 2])
    x = g.op("Sigmoid", g.op("InstanceNormalization", x, *affine(g, 16)))
    return g.op("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)


def attention(g, x):
    """Each place of the image is a token."""
    tokens = g.op("Transpose", g.op("Reshape", x, g.constant(np.int64([0, 16, -1]))), perm=[0, 2, 1])
    query, key = (g.op("MatMul", tokens, g.weight(16, 16)) for _ in range(2))
    scores = g.op("Softmax", g.op("MatMul", query, g.op("Transpose", key, perm=[0, 2, 1])), axis=-1)
    x = g.op("Add", g.op("MatMul", scores, tokens), tokens)
    x = g.op("LayerNormalization", x, *affine(g, 16), axis=-1)
    return g.op("MatMul", g.op("Gelu", g.op("MatMul", x, g.weight(16, 64))), g.weight(64, 16))


def image(g):
    return g.op("ReduceMean", attention(g, branches(g, stem(g))), g.constant(np.int64([1])), keepdims=0)


def film(g):
    x = g.op("Relu", g.op("Conv", "x", g.weight(16, 3, 3, 3, 3), g.weight(16), pads=[1] * 6, strides=[1, 2, 2]))
    x = g.op("MaxPool", x, kernel_shape=[1, 2, 2], strides=[1, 2, 2])
    x = g.op("Elu", g.op("Conv", x, g.weight(16, 16, 3, 1, 1), pads=[1, 0, 0, 1, 0, 0]), alpha=0.7)
    x = g.op("AveragePool", x, kernel_shape=[2, 2, 2], strides=[2, 2, 2])
    return g.op("ReduceMean", x, g.constant(np.int64([2, 3, 4])), keepdims=0)


SHAPES = {image: (3, SIZE, SIZE), film: (3, 8, SIZE, SIZE)}


def network(kind, batch):
    g = Graph(np.random.default_rng(7))
    g.op("Gemm", kind(g), g.weight(10, 16), g.weight(10), transB=1, name="y")
    return g.model("many", [("x", TensorProto.FLOAT, [batch, *SHAPES[kind]])], [("y", TensorProto.FLOAT, [batch, 10])],
                   opset=20)


def samples(kind, count, seed):
    """Smooth, as photographs are."""
    x = np.random.default_rng(seed).standard_normal((count, *SHAPES[kind]))
    x = np.cumsum(np.cumsum(x, -1), -2).reshape(count, -1)
    return (x / np.abs(x).max(1, keepdims=True)).reshape(count, *SHAPES[kind]).astype(np.float32)


def check(tools, kind, recipe, batch):
    from qdialect import Model

    name = f"{kind.__name__}-{recipe}-{batch}"
    path, data = tools.path(f"{name}.onnx"), tools.path(f"{name}.npz")
    onnx.save(network(kind, batch), path)
    np.savez(data, x=samples(kind, 48, 1))
    common = ["--calibration", data, "--recipe", recipe, "--fail-on-fallback", *(["--dim", "batch=1..8"] * (batch != 1))]
    program = tools.compile(path, tools.path(f"{name}.mlir"), *common, "--stop-after=integerize")
    x = samples(kind, COUNT, 2)
    with Model(tools.compile(path, tools.path(f"{name}.so"), *common)) as m:
        y = np.concatenate([m.run(x=x[i:i + 1])["y"] for i in range(COUNT)])
        together, receipt = (m.run(x=x)["y"] if batch != 1 else y), m.receipt
    given = {"x": x if batch != 1 else x[:, None]}
    interpreted = interpret_results(tools, program, given, name, "y").reshape(y.shape)
    reference = session(path, threads=1)
    truth = np.concatenate([reference.run(None, {"x": x[i:i + 1]})[0] for i in range(COUNT)])
    quality = sqnr(truth, y)
    print(f"{name}: {quality:.1f} dB to the float model")
    problems = []
    if recipe == "integer-only" and not receipt["integer_only"]:
        problems.append(f"{name}: is not integer only")
    if not np.array_equal(y, interpreted):
        problems.append(f"{name}: {np.sum(y != interpreted)} of {y.size} results are not the interpreter's")
    if not np.array_equal(y, together):
        problems.append(f"{name}: {np.sum(y != together)} of {y.size} results differ in a batch")
    if quality < LEAST_DB:
        problems.append(f"{name}: {quality:.1f} dB to the float model, less than {LEAST_DB}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    tools = Tools(parser.parse_args().build)
    problems = [problem for kind in (image, film) for recipe in ("w8a8-int", "integer-only") for batch in (1, "batch")
                for problem in check(tools, kind, recipe, batch)]
    print("\n".join(problems) or "equal")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
