# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Loops and branches whose values change size: ONNX Runtime, the interpreter and the library, at many lengths.

Lists that grow, loops that end early, loops in loops, branches of other sizes in a loop, bounds that an iteration
computes, sizes and counts of nothing; one instance runs all feeds, long ones before short ones too. Runs that must end
with an error say so.
"""

import argparse
import os
import sys

import numpy as np
import onnx
from onnx import parser

from evaluation import peers
from evaluation.tools import Tools

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
GROW = """agraph (float[1,3] x, int64 m) => (float[k,3] y) {
  y, last = Loop (m, , x, x) <body = b (int64 i, bool go, float[r,3] list, float[1,3] v)
      => (bool more, float[s,3] next, float[1,3] w) {
    more = Identity (go)
    two = Constant <value = float {2}> ()
    w = Mul (v, two)
    next = Concat <axis = 0> (list, w)
  }>
}"""
COUNTED = """agraph (float[1,3] x) => (float[k,3] y, float[5,3] g) {
  m = Constant <value = int64 {5}> ()
  y, g = Loop (m, , x) <body = b (int64 i, bool go, float[r,3] list) => (bool more, float[s,3] next, float[3] sum) {
    more = Identity (go)
    f = Cast <to = 1> (i)
    row = Add (x, f)
    next = Concat <axis = 0> (list, row)
    axis = Constant <value = int64[1] {0}> ()
    sum = ReduceSum <keepdims = 0> (next, axis)
  }>
}"""
EARLY = """agraph (float[n,3] x, float limit) => (float[k,3] y, int64 steps) {
  m = Constant <value = int64 {100}> ()
  zero = Constant <value = int64 {0}> ()
  y, steps = Loop (m, , x, zero) <body = b (int64 i, bool go, float[r,3] list, int64 c)
      => (bool more, float[s,3] next, int64 d) {
    one = Constant <value = int64 {1}> ()
    d = Add (c, one)
    top = ReduceMax <keepdims = 1, axes = [0]> (list)
    half = Constant <value = float {1.5}> ()
    row = Mul (top, half)
    next = Concat <axis = 0> (list, row)
    total = ReduceMax <keepdims = 0> (next)
    more = Less (total, limit)
  }>
}"""
BRANCHES = """agraph (float[n,3] x, int64 m) => (float[k,3] y) {
  y = Loop (m, , x) <body = b (int64 i, bool go, float[r,3] list) => (bool more, float[s,3] next) {
    more = Identity (go)
    two = Constant <value = int64 {2}> ()
    zero = Constant <value = int64 {0}> ()
    rest = Mod (i, two)
    odd = Greater (rest, zero)
    next = If (odd) <then_branch = yes () => (float[a,3] p) {
        start = Constant <value = int64[1] {1}> ()
        end = Constant <value = int64[1] {9223372036854775807}> ()
        p = Slice (list, start, end)
    }, else_branch = no () => (float[c,3] q) { q = Concat <axis = 0> (list, x, list) }>
  }>
}"""
NESTED = """agraph (float[1,3] x, int64 m) => (float[k,3] y) {
  y = Loop (m, , x) <body = b (int64 i, bool go, float[r,3] list) => (bool more, float[s,3] next) {
    more = Identity (go)
    next = Loop (i, , list) <body = c (int64 j, bool go2, float[a,3] p) => (bool more2, float[e,3] q) {
      more2 = Identity (go2)
      f = Cast <to = 1> (j)
      row = Add (x, f)
      q = Concat <axis = 0> (p, row)
    }>
  }>
}"""
BOUNDS = """agraph (float[8,4] x, int64 m) => (float[8,4] y, float t) {
  start = Constant <value = float {0}> ()
  y, t = Loop (m, , x, start) <body = b (int64 i, bool go, float[8,4] v, float a) => (bool more, float[8,4] w, float sum) {
    more = Identity (go)
    one = Constant <value = int64[1] {1}> ()
    first = Constant <value = int64[1] {0}> ()
    at = Reshape (i, one)
    end = Add (at, one)
    part = Slice (v, first, end, first)
    s = ReduceSum <keepdims = 0> (part)
    sum = Add (a, s)
    four = Constant <value = int64[1] {4}> ()
    shape = Concat <axis = 0> (end, four)
    row = ReduceMax <axes = [0], keepdims = 1> (part)
    wide = Expand (row, shape)
    all = ReduceSum <keepdims = 0> (wide)
    small = Constant <value = float {0.01}> ()
    less = Mul (all, small)
    w = Add (v, less)
  }>
}"""
SHRINK = """agraph (float[n] x, int64 m) => (float[k] y) {
  y = Loop (m, , x) <body = b (int64 i, bool go, float[r] list) => (bool more, float[s] next) {
    more = Identity (go)
    mean = ReduceMean <keepdims = 0> (list)
    high = Greater (list, mean)
    next = Compress (list, high)
  }>
}"""
SUMS = """agraph (float[1] x, float[n] rows, int64 m) => (float[k] y) {
  y = Loop (m, , x) <body = b (int64 i, bool go, float[1] v) => (bool more, float[1] w) {
    more = Identity (go)
    one = Constant <value = int64[1] {1}> ()
    at = Reshape (i, one)
    end = Add (at, one)
    row = Slice (rows, at, end)
    [s] w = Add (v, row)
  }>
}"""
SIDES = """agraph (float[4,3] x, bool c) => (float[k,3] y) {
  y = If (c) <then_branch = yes () => (float[2,3] p) {
    start = Constant <value = int64[1] {1}> ()
    end = Constant <value = int64[1] {3}> ()
    p = Slice (x, start, end)
  }, else_branch = no () => (float[8,3] q) { q = Concat <axis = 0> (x, x) }>
}"""
UNDEFINED = """agraph (float[2] x, int64 m) => (float[2] y) {
  nothing = Constant <value = float {0}> ()
  t, y = Loop (m, , x, nothing) <body = b (int64 i, bool go, float[2] v, float u) => (bool more, float[2] w, float[2] d) {
    more = Identity (go)
    w = Add (v, x)
    d = Neg (w)
  }>
}"""
MISFIT = """agraph (float[n,3] x, int64 m) => (float[4] y) {
  zero = Constant <value = float[4] {0, 0, 0, 0}> ()
  y = Loop (m, , zero) <body = b (int64 i, bool go, float[4] v) => (bool more, float[4] w) {
    more = Identity (go)
    one = Constant <value = int64[1] {1}> ()
    at = Reshape (i, one)
    four = Constant <value = int64[1] {4}> ()
    shape = Concat <axis = 0> (at, four)
    [r] table = Reshape (x, shape)
    axis = Constant <value = int64[1] {0}> ()
    sum = ReduceSum <keepdims = 0> (table, axis)
    w = Add (v, sum)
  }>
}"""


def cases(rng):
    def rows(*shape):
        return rng.random(shape, np.float32) + 1

    def lengths(x, *counts):
        return [{"x": x, "m": np.array(m, np.int64)} for m in counts]

    bounded = ["--dim=n=1..8"]
    yield "grow", GROW, lengths(rows(1, 3), 9, 0, 1, 4), []
    yield "counted", COUNTED, [{"x": rows(1, 3)}], []
    early = [{"x": rows(n, 3), "limit": np.array(most, np.float32)} for n in (4, 1) for most in (1000, 0, 5)]
    yield "early exit", EARLY, early, bounded
    yield "branches", BRANCHES, lengths(rows(3, 3), 5, 0, 1, 2) + lengths(rows(1, 3), 4), bounded
    yield "nested", NESTED, lengths(rows(1, 3), 6, 0, 1, 4), []
    yield "bounds", BOUNDS, lengths(rows(8, 4), 8, 0, 1, 4), []
    yield "shrinking", SHRINK, lengths(rows(8), 2, 0, 1) + lengths(rows(5), 1), bounded
    sums = [{"x": rows(1), "rows": rows(n), "m": np.array(m, np.int64)} for n, m in ((8, 8), (1, 1), (5, 5), (2, 3))]
    yield "sums", SUMS, sums, bounded
    yield "sides", SIDES, [{"x": rows(4, 3), "c": np.array(c)} for c in (False, True)], []
    yield "without a value", UNDEFINED, lengths(rows(2), 3, 1), []


def interpret(tools, program, feed, outputs):
    folder = tools.path("interpreted")
    os.makedirs(folder, exist_ok=True)
    arguments = ["--interpret", program, "--output-dir", folder]
    for key, value in feed.items():
        np.save(os.path.join(folder, f"in-{key}.npy"), value)
        arguments += ["--input", f"{key}={folder}/in-{key}.npy"]
    tools.run("q-run", *arguments)
    return {key: np.load(os.path.join(folder, f"{key}.npy")) for key in outputs}


def compile_case(tools, name, text, flags):
    path, stem = tools.path(f"{name}.onnx"), tools.path(name)
    onnx.save(parser.parse_model(HEAD + text), path)
    so = tools.compile(path, f"{stem}.so", "--recipe=float", *flags)
    program = tools.compile(path, f"{stem}.mlir", "--recipe=float", "--stop-after=import", *flags)
    return path, so, program


def check(tools, name, text, feeds, flags):
    from qdialect import Model

    path, so, program = compile_case(tools, name, text, flags)
    session = peers.session(path)
    outputs = [o.name for o in session.get_outputs()]
    problems = []
    with Model(so, threads=2) as model:
        for number, feed in enumerate(feeds):
            found = {key: np.array(value) for key, value in model.run(**feed).items()}
            interpreted = interpret(tools, program, feed, outputs)
            for key, wanted in zip(outputs, session.run(None, feed), strict=True):
                value = found[key]
                if value.shape != wanted.shape or not np.allclose(value, wanted, rtol=1e-5, atol=1e-5):
                    problems.append(f"{name}: {key} of feed {number} is not ONNX Runtime's")
                if value.shape != interpreted[key].shape or value.tobytes() != interpreted[key].tobytes():
                    problems.append(f"{name}: {key} of feed {number} is not the interpreter's")
    return problems


def check_error(tools, name, text, feed, flags, wanted):
    from qdialect import Model

    _, so, _ = compile_case(tools, name, text, flags)
    with Model(so, threads=1) as model:
        try:
            model.run(**feed)
        except Exception as error:
            return [] if wanted in str(error) else [f"{name}: says '{error}', not '{wanted}'"]
    return [f"{name}: runs, but should say '{wanted}'"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--build", default="build")
    tools = Tools(arguments.parse_args().build)
    rng = np.random.default_rng(5)
    problems, count = [], 0
    for case in cases(rng):
        problems += check(tools, *case)
        count += len(case[2])
    feed = {"x": np.ones((2,), np.float32), "m": np.array(0, np.int64)}
    said = "the number of iterations that define output 'y', at most 1 counted, is 0, but must be 1"
    problems += check_error(tools, "undefined", UNDEFINED, feed, [], said)
    feed = {"x": np.ones((4, 3), np.float32), "m": np.array(3, np.int64)}
    said = "node 'r' (Reshape, opset 17)"
    problems += check_error(tools, "misfit", MISFIT, feed, ["--dim=n=1..8"], said)
    print("\n".join(problems) or f"values that change size: all outputs of {count} runs equal")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
