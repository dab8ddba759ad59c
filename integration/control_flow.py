# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""If, Loop and Scan from ONNX to the binary, against ONNX Runtime; int8 against the interpreter, bit for bit.

A network whose branches have layers (and one a loop), of fixed and of symbolic size, a loop whose trip count constants
decide, one that slices by its counter, and the Scan of opset 8.
"""

import argparse
import os
import re
import sys

import numpy as np
import onnx
from onnx import parser

from evaluation import peers
from evaluation.digits import interpret_results
from evaluation.tools import Tools, variants_here

BRANCHES = """<ir_version: 8, opset_import: ["" : 17]>
agraph (float[2,16] x, int64 which) => (float[2,16] y, float[2,16] z) {
  zero = Constant <value_int = 0> ()
  one = Constant <value_int = 1> ()
  a = MatMul (x, u)
  r = Relu (a)
  any = Greater (which, zero)
  two = Greater (which, one)
  p, z = If (any) <then_branch = yes () => (float[2,16] c, float[2,16] x1) {
      c = If (two) <then_branch = deep () => (float[2,16] e) {
          start = Constant <value_int = 0> ()
          t, e = Loop ( , , start, r) <body = b (int64 i, bool go, int64 time, float[2,16] h)
              => (bool more, int64 next, float[2,16] h2) {
            next = Add (time, one)
            limit = Constant <value_int = 3> ()
            more = Less (next, limit)
            m = MatMul (h, v)
            h2 = Tanh (m)
          }>
        }, else_branch = flat () => (float[2,16] e2) { m2 = MatMul (r, w)  e2 = Relu (m2) }>
      x1 = Identity (x)
    }, else_branch = no () => (float[2,16] d, float[2,16] x2) { d = MatMul (r, u)  x2 = Neg (d) }>
  y = MatMul (p, v)
}"""
COUNTED = """<ir_version: 8, opset_import: ["" : 17]>
agraph (float[2] x, float[6,2] rows) => (float[2] y, int32 last, float[k,2] s) {
  start = Constant <value = int32 {1}> ()
  one = Constant <value = int32 {1}> ()
  most = Constant <value = float {4}> ()
  no = Identity (start)
  last, y, s = Loop ( , , start, x) <body = b (int64 i, bool go, int32 time, float[2] v)
      => (bool more, int32 next, float[2] w, float[2] t) {
    next = Add (time, one)
    number = Cast <to = 1> (next)
    more = Less (number, most)
    row = Gather (rows, time)
    w = Add (v, row)
    t = Neg (w)
  }>
}"""
SLICED = """<ir_version: 8, opset_import: ["" : 17]>
agraph (float[1,2] x, float[6,2] rows) => (float[1,2] y, float[k,1,2] s) {
  count = Constant <value = int64 {5}> ()
  one = Constant <value = int64[1] {1}> ()
  y, s = Loop (count, , x) <body = b (int64 i, bool go, float[1,2] v) => (bool more, float[1,2] w, float[1,2] t) {
    more = Identity (go)
    start = Reshape (i, one)
    end = Add (start, one)
    row = Slice (rows, start, end)
    behind = Add (end, one)
    next = Slice (rows, end, behind)
    w = Add (v, row)
    t = Mul (w, next)
  }>
}"""
SCAN = """<ir_version: 8, opset_import: ["" : 8]>
agraph (float[2,3] h, float[2,5,3] x) => (float[2,3] y, float[2,5,3] s) {
  y, s = Scan <num_scan_inputs = 1, directions = [1], body = b (float[3] v, float[3] r) => (float[3] w, float[3] t) {
    w = Add (v, r)
    t = Neg (w)
  }> ( , h, x)
}"""


def make(tools, name, text, **weights):
    model = parser.parse_model(text)
    for key, value in weights.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, key))
    path = tools.path(f"{name}.onnx")
    onnx.save(model, path)
    return path


def run(so, feed, variant=None):
    from qdialect import Model

    with Model(so, threads=1, variant=variant) as m:
        return {k: np.array(v) for k, v in m.run(**feed).items()}, m.receipt


def compare(tools, name, path, feeds, *flags):
    """The float library against ONNX Runtime."""
    session = peers.session(path)
    so = tools.compile(path, tools.path(f"{name}.so"), "--recipe=float", *flags)
    problems = []
    for number, feed in enumerate(feeds):
        wanted = dict(zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True))
        found, _ = run(so, feed)
        for key, value in wanted.items():
            if found[key].shape != value.shape or not np.allclose(found[key], value, rtol=1e-5, atol=1e-5):
                problems.append(f"{name}: output {key} of feed {number} is not ONNX Runtime's")
    return problems


def check_symbolic(tools, feeds, weights):
    """Branches over rows of symbolic number: float, and int8 codes like those of the fixed size."""
    text = re.sub(r"t, e = Loop.*?}>", "m = MatMul (r, v)  e = Tanh (m)", BRANCHES, flags=re.DOTALL)
    fixed = make(tools, "fixed", text, **weights)
    path = make(tools, "symbolic", text.replace("[2,16]", "[n,16]"), **weights)
    sizes = (1, 7, 3, 8, 2, 5)
    more = [dict(feed, x=np.concatenate([feed["x"]] * 4)[:n]) for feed, n in zip(feeds, sizes, strict=True)]
    problems = compare(tools, "symbolic", path, more, "--dim=n=1..8")
    folder = tools.path("one-by-one")
    os.makedirs(folder)
    for number, feed in enumerate(feeds):
        np.savez(os.path.join(folder, f"{number}.npz"), **{key: value[None] for key, value in feed.items()})
    flags = ("--calibration", folder, "--fail-on-fallback")
    wanted = tools.compile(fixed, tools.path("fixed8.so"), *flags)
    found = tools.compile(path, tools.path("symbolic8.so"), "--dim=n=1..8", *flags)
    for number, feed in enumerate(feeds):
        results = run(found, feed)[0]
        if any(not np.array_equal(results[key], value) for key, value in run(wanted, feed)[0].items()):
            problems.append(f"symbolic: feed {number} is not what the fixed size gives")
    return problems


def check_integer(tools, path, feeds):
    """Layers in branches are integer, and every variant computes what the interpreter does."""
    folder = tools.path("samples")
    os.makedirs(folder)
    for number, feed in enumerate(feeds):
        np.savez(os.path.join(folder, f"{number}.npz"), **feed)
    common = ("--calibration", folder, "--fail-on-fallback")
    so = tools.compile(path, tools.path("int8.so"), "--target-cpu=znver4,haswell,x86-64", *common)
    program = tools.compile(path, tools.path("int8.mlir"), "--stop-after=integerize", *common)
    stacked = {key: np.stack([feed[key] for feed in feeds]) for key in feeds[0]}
    problems = []
    for output in ("y", "z"):
        wanted = interpret_results(tools, program, stacked, f"interpreted-{output}", output)
        for variant in variants_here(so):
            found = np.stack([run(so, feed, variant)[0][output] for feed in feeds])
            if not np.array_equal(found, wanted.reshape(found.shape)):
                problems.append(f"branches: output {output} of {variant} is not the interpreter's")
    totals = run(so, feeds[0])[1]["totals"]
    if totals["int_macs"] != totals["total_macs"] or totals["fallbacks"]:
        problems.append(f"branches: {totals}")
    return problems


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--build", default="build")
    tools = Tools(arguments.parse_args().build)
    rng = np.random.default_rng(3)

    def normal(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    weights = {name: normal(16, 16) / 4 for name in "uvw"}
    path = make(tools, "branches", BRANCHES, **weights)
    feeds = [{"x": normal(2, 16), "which": np.array(i % 3)} for i in range(6)]
    problems = compare(tools, "branches", path, feeds)
    problems += check_integer(tools, path, feeds)
    problems += check_symbolic(tools, feeds, weights)
    sliced = make(tools, "sliced", SLICED)
    problems += compare(tools, "sliced", sliced, [{"x": normal(1, 2), "rows": normal(6, 2)}])
    problems += compare(tools, "counted", make(tools, "counted", COUNTED), [{"x": normal(2), "rows": normal(6, 2)}])
    problems += compare(tools, "scan", make(tools, "scan", SCAN), [{"h": normal(2, 3), "x": normal(2, 5, 3)}])
    print("\n".join(problems) or "control flow: all outputs equal")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
