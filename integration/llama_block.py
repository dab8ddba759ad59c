# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A block of a Llama-like decoder (RMS norms, rotary embedding, causal attention, a gated feed-forward layer) with random
weights as `--recipe integer-only`, its norms written in every way that exporters have: no float between the casts, the
bits of the interpreter, close to the float model. A recurrent network is refused by the name of its node."""

import argparse
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto

from evaluation.digits import interpret_results
from evaluation.peers import session
from evaluation.report import sqnr
from evaluation.tools import Tools
from integration.dynamic_graphs import Graph

NORMS = ("pow", "product", "reciprocal", "length", "simplified", "skip")
BATCH, LENGTH, HEADS, SIZE = 2, 12, 2, 16
WIDTH, HIDDEN = HEADS * SIZE, 3 * HEADS * SIZE
LEAST_DB = 25


def norm(g, x, kind, gain):
    """x / sqrt(mean(x^2) + epsilon) * gain."""
    if kind == "simplified":
        return g.op("SimplifiedLayerNormalization", x, gain, axis=-1, epsilon=1e-6)
    epsilon, axis = g.constant(np.float32(1e-6)), dict(axes=[-1], keepdims=1)
    if kind == "length":  # of the row, times the root of its length
        squares = g.op("ReduceSumSquare", x, **axis)
        root = g.op("Sqrt", g.op("Add", squares, g.constant(np.float32(WIDTH * 1e-6))))
        normal = g.op("Mul", g.op("Div", x, root), g.constant(np.float32(WIDTH**0.5)))
        return g.op("Mul", normal, gain)
    squares = g.op("Mul", x, x) if kind == "product" else g.op("Pow", x, g.constant(np.float32(2)))
    root = g.op("Sqrt", g.op("Add", g.op("ReduceMean", squares, **axis), epsilon))
    normal = g.op("Mul", x, g.op("Reciprocal", root)) if kind == "reciprocal" else g.op("Div", x, root)
    return g.op("Mul", gain, normal)


def rotate(g, x, cos, sin):
    """x cos + (-x2, x1) sin, the halves of the last axis."""
    first, second, end, axis = (g.constant(np.int64([n])) for n in (0, SIZE // 2, SIZE, 3))
    turned = g.op("Concat", g.op("Neg", g.op("Slice", x, second, end, axis)), g.op("Slice", x, first, second, axis),
                  axis=-1)
    return g.op("Add", g.op("Mul", x, cos), g.op("Mul", turned, sin))


def block(kind, seed, symbolic):
    rng = np.random.default_rng(seed)
    g = Graph(rng)
    angles = np.arange(LENGTH)[:, None] / 10000 ** (np.arange(SIZE // 2) / (SIZE // 2))
    angles = np.concatenate([angles, angles], -1).astype(np.float32)
    cos, sin = g.constant(np.cos(angles)), g.constant(np.sin(angles))

    def gain():
        return g.constant((1 + 0.2 * rng.standard_normal(WIDTH)).astype(np.float32))

    def heads(x, order):
        split = g.op("Reshape", g.op("MatMul", x, g.weight(WIDTH, WIDTH)), g.constant(np.int64([-1, LENGTH, HEADS, SIZE])))
        return g.op("Transpose", split, perm=order)

    normal = norm(g, "x", "pow" if kind == "skip" else kind, gain())
    q = rotate(g, heads(normal, [0, 2, 1, 3]), cos, sin)
    k = g.op("Transpose", rotate(g, heads(normal, [0, 2, 1, 3]), cos, sin), perm=[0, 1, 3, 2])
    scores = g.op("Mul", g.op("MatMul", q, k), g.constant(np.float32(SIZE**-0.5)))
    hidden = np.triu(np.full((LENGTH, LENGTH), -1e4, np.float32), 1)
    mixed = g.op("MatMul", g.op("Softmax", g.op("Add", scores, g.constant(hidden)), axis=-1), heads(normal, [0, 2, 1, 3]))
    joined = g.op("Reshape", g.op("Transpose", mixed, perm=[0, 2, 1, 3]), g.constant(np.int64([-1, LENGTH, WIDTH])))
    projected = g.op("MatMul", joined, g.weight(WIDTH, WIDTH))
    if kind == "skip":
        sum_name = "skip_sum"
        g.nodes.append(onnx.helper.make_node("SkipSimplifiedLayerNormalization", [projected, "x", gain()],
                                             ["skip_y", "", "", sum_name], domain="com.microsoft", epsilon=1e-6))
        x, normal = sum_name, "skip_y"
    else:
        x = g.op("Add", projected, "x")
        normal = norm(g, x, kind, gain())
    gate, up = (g.op("MatMul", normal, g.weight(WIDTH, HIDDEN)) for _ in range(2))
    gated = g.op("Mul", g.op("Mul", gate, g.op("Sigmoid", gate)), up)
    g.op("Add", g.op("MatMul", gated, g.weight(HIDDEN, WIDTH)), x, name="y")
    shape = ["batch" if symbolic else BATCH, LENGTH, WIDTH]
    model = g.model("llama", [("x", TensorProto.FLOAT, shape)], [("y", TensorProto.FLOAT, shape)])
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return model


def check(tools, kind, symbolic):
    from qdialect import Model

    name = f"llama-{kind}{'-symbolic' if symbolic else ''}"
    path, data = tools.path(f"{name}.onnx"), tools.path(f"{name}.npz")
    onnx.save(block(kind, 1, symbolic), path)
    rng = np.random.default_rng(2)
    # One channel is far larger than the others, as in trained decoders.
    spread = np.where(np.arange(WIDTH) == 3, 8, 1).astype(np.float32)
    samples = rng.standard_normal((16, BATCH, LENGTH, WIDTH)).astype(np.float32) * spread
    np.savez(data, x=samples.reshape(-1, LENGTH, WIDTH) if symbolic else samples)
    given = rng.standard_normal((BATCH, LENGTH, WIDTH)).astype(np.float32) * spread
    common = ("--calibration", data, "--recipe", "integer-only", "--fail-on-fallback")
    if symbolic:
        common += ("--dim", "batch=1..8")
    program = tools.compile(path, tools.path(f"{name}.mlir"), *common, "--stop-after=integerize")
    so = tools.compile(path, tools.path(f"{name}.so"), *common)
    with Model(so) as m:
        y, receipt = m.run(x=given)["y"], m.receipt
    # Blocks of rows and what is left of them are two steps of one layer.
    norms = len({layer["name"] for layer in receipt["layers"] if layer["op"] == "qd.int_rms_norm"})
    interpreted = interpret_results(tools, program, {"x": given}, name, "y").reshape(y.shape)
    (reference,) = session(path, threads=1).run(None, {"x": given})
    quality = sqnr(reference, y)
    print(f"{name}: {norms} integer norms, {quality:.1f} dB")
    problems = []
    if not receipt["integer_only"] or norms != 2:
        problems.append(f"{name}: {norms} norms of 2, integer only: {receipt['integer_only']}")
    if not np.array_equal(y, interpreted):
        problems.append(f"{name}: {np.sum(y != interpreted)} of {y.size} results are not the interpreter's")
    if quality < LEAST_DB:
        problems.append(f"{name}: {quality:.1f} dB to the float model, less than {LEAST_DB}")
    return problems


def refused(tools):
    """The message names the node."""
    g = Graph(np.random.default_rng(3))
    g.op("LSTM", "x", g.weight(1, 32, 8), g.weight(1, 32, 8), hidden_size=8, name="memory")
    shape = [("x", TensorProto.FLOAT, [5, 1, 8])], [("memory", TensorProto.FLOAT, [5, 1, 1, 8])]
    path, data = tools.path("lstm.onnx"), tools.path("lstm.npz")
    onnx.save(g.model("lstm", *shape), path)
    np.savez(data, x=np.random.default_rng(4).standard_normal((8, 5, 1, 8)).astype(np.float32))
    command = [f"{tools.bin}/q-compile", path, "-o", tools.path("lstm.so"), "--calibration", data, "--recipe",
               "integer-only"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "computes in floats" in line]
    good = done.returncode != 0 and said and all("'memory" in line for line in said)
    return [] if good else [f"a recurrent network: exit code {done.returncode}: {done.stderr[:500]}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    tools = Tools(parser.parse_args().build)
    problems = refused(tools)
    for kind in NORMS:
        problems += check(tools, kind, symbolic=False)
    problems += check(tools, "pow", symbolic=True)
    print("\n".join(problems) or "equal")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
