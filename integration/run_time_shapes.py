# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sizes that must agree, of which only the run knows whether they do: computed ones, and inputs whose symbols differ.

Rows that masks choose are added, compared, chosen between, concatenated, multiplied, expanded and contracted with
others and with constants: of equal numbers, of one row against many, of none. ONNX Runtime, the interpreter and the
library, one instance for all runs. What does not fit ends the run with an error that names the node and both numbers,
from the library and from the interpreter.
"""

import argparse
import sys

import numpy as np
import onnx
from onnx import parser

from evaluation import peers
from evaluation.tools import Tools
from integration.data_sizes import interpreted
from integration.growing_loops import HEAD

# Rows of x and y that the masks choose: a and b.
ROWS = """agraph (float[6,3] x, bool[6] chosen, float[6,3] y, bool[6] others) => (%s) {
  a = Compress <axis = 0> (x, chosen)
  b = Compress <axis = 0> (y, others)
  %s
}"""
ELEMENTS = ROWS % (
    "float[r,3] sum, float[r,3] most, bool[r,3] less, bool[r,3] one, float[r,3] either, "
    "float[r,3] power, float[3] total",
    """sum = Add (a, b)
  most = Max (a, b, sum)
  less = Less (a, b)
  more = Not (less)
  same = Equal (a, b)
  one = Xor (more, same)
  either = Where (less, a, b)
  half = Constant <value = float {0.5}> ()
  size = Abs (b)
  base = Abs (a)
  power = Pow (base, size)
  rows = Constant <value = int64[1] {0}> ()
  total = ReduceSum <keepdims = 0> (power, rows)""")
NUMBERS = ROWS % (
    "float[4,3] sum, float[2,4,3] deep, float[4,3] back, float[4,6] wide",
    """four = Constant <value = float[4,3] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}> ()
  sum = Add (a, four)
  both = Constant <value = float[2,1,1] {1, -1}> ()
  scaled = Mul (both, four)
  deep = Sub (scaled, a)
  back = Mul (a, sum)
  exact = Add (back, b)
  wide = Concat <axis = 1> (exact, four)""")
JOINED = ROWS % (
    "float[r,6] wide, float[s,3] long, float[3,3] product, float[] dot",
    """[c] wide = Concat <axis = 1> (a, b)
  long = Concat <axis = 0> (a, b, x)
  turned = Transpose <perm = [1, 0]> (a)
  [m] product = MatMul (turned, b)
  [e] dot = Einsum <equation = "ij,ij->"> (a, b)""")
PRODUCTS = ROWS % (
    "float[2,3] fixed, float[3,3] gemm",
    """left = Constant <value = float[2,4] {1, -2, 3, -4, 5, 6, -7, 8}> ()
  [m] fixed = MatMul (left, a)
  right = Constant <value = float[4,3] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}> ()
  [g] gemm = Gemm <transA = 1> (a, right, b)""")
BATCHES = ROWS % (
    "float[r,2,2] product, float[r,2,2] twice",
    """column = Constant <value = int64[3] {-1, 3, 1}> ()
  row = Constant <value = int64[3] {-1, 1, 3}> ()
  columns = Reshape (b, column)
  rows = Reshape (a, row)
  start = Constant <value = float[2,1] {1, 2}> ()
  tall = MatMul (start, rows)
  ends = Constant <value = float[1,2] {3, -1}> ()
  broad = MatMul (columns, ends)
  [m] product = MatMul (tall, broad)
  twice = Add (product, product)""")
EXPANDED = """agraph (float[6,3] x, bool[6] chosen, int64[2] shape) => (float[r,s] y, float[4,3] z) {
  a = Compress <axis = 0> (x, chosen)
  y = Expand (a, shape)
  four = Constant <value = int64[2] {4, 3}> ()
  some = Constant <value = int64[1] {0}> ()
  one = Constant <value = int64[1] {1}> ()
  first = Slice (x, some, one)
  z = Expand (first, four)
}"""
SYMBOLS = """agraph (float[n,3] x, float[m,3] y, float[k,2] z) => (float[r,3] sum, float[r,8] wide, float[3,2] product) {
  sum = Add (x, y)
  [c] wide = Concat <axis = 1> (x, y, z)
  turned = Transpose <perm = [1, 0]> (x)
  [p] product = MatMul (turned, z)
}"""

# Rows of zeros before and behind images, of which there are then more than were given.
PADDED = """agraph (float[5,n,3] x, float[2,m,4,3] y) => (float[9,n,3] behind, float[6,n,3] before, float[4,q,5,3] images) {
  after = Constant <value = int64[6] {0, 0, 0, 4, 0, 0}> ()
  behind = Pad (x, after)
  ahead = Constant <value = int64[6] {1, 0, 0, 0, 0, 0}> ()
  before = Pad (x, ahead)
  around = Constant <value = int64[8] {0, 1, 0, 0, 2, 0, 1, 0}> ()
  images = Pad (y, around)
}"""

# An image enlarged to the size of another one by scales that are quotients of sizes, and by scales that are inputs.
SCALED = """agraph (float[1,2,h,w] x, float[1,3,i,j] y, float[2] s)
    => (float[1,5,i,j] both, float[1,2,k,l] near, float[1,2,o,p] linear) {
  shape = Shape <start = 2> (x)
  wanted = Shape <start = 2> (y)
  have = Cast <to = 1> (shape)
  want = Cast <to = 1> (wanted)
  quotient = Div (want, have)
  ones = Constant <value = float[2] {1, 1}> ()
  scales = Concat <axis = 0> (ones, quotient)
  large = Resize <mode = "linear", coordinate_transformation_mode = "asymmetric"> (x, , scales)
  [c] both = Concat <axis = 1> (large, y)
  given = Concat <axis = 0> (ones, s)
  [r] near = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (x, , given)
  linear = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (x, , given)
}"""
# 7 rows, not the 6.99999988 that the number itself gives.
ROUNDED = """agraph (float[1,1,10] x) => (float[1,1,7] y) {
  scales = Constant <value = float[3] {1, 1, 0.7}> ()
  y = Resize <mode = "linear"> (x, , scales)
}"""


def mask(rng, count, size=6):
    chosen = np.zeros(size, np.bool_)
    chosen[rng.permutation(size)[:count]] = True
    return chosen


def cases(rng):
    def values(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    def rows(*counts):
        return [{"x": values(6, 3), "chosen": mask(rng, p), "y": values(6, 3), "others": mask(rng, q)} for p, q in counts]

    def shaped(*counts):
        return [{"x": values(6, 3), "chosen": mask(rng, p), "shape": np.array(s, np.int64)} for p, *s in counts]

    def symbols(*counts):
        return [{"x": values(p, 3), "y": values(q, 3), "z": values(r, 2)} for p, q, r in counts]

    free = ["--dim=n=1..8", "--dim=m=1..8", "--dim=k=1..8"]
    # name, model, runs, runs that end with an error and what it says, flags
    yield ("elements", ELEMENTS, rows((3, 3), (1, 4), (4, 1), (6, 6), (0, 1), (1, 0), (0, 0), (1, 1), (5, 5)),
           [(*rows((2, 3)), ["'sum' (Add, opset 17): dimension 0 of operand 0", "2", "3"]),
            (*rows((4, 0)), ["'sum' (Add, opset 17)", "4", "0"])], [])
    yield ("numbers", NUMBERS, rows((4, 4), (1, 1), (1, 4), (4, 1)),
           [(*rows((3, 4)), ["'sum' (Add, opset 17): dimension 0 of operand 0", "3", "4"]),
            (*rows((4, 2)), ["'exact' (Add, opset 17): dimension 0 of operand 1", "2", "4"])], [])
    yield ("joined", JOINED, rows((3, 3), (1, 1), (6, 6), (0, 0)),
           [(*rows((2, 3)), ["'c' (Concat, opset 17): dimension 0 of operand 1", "3", "2"]),
            (*rows((1, 4)), ["'c' (Concat, opset 17): dimension 0 of operand 1", "4", "1"])], [])
    yield ("products", PRODUCTS, rows((4, 3), (4, 1)),
           [(*rows((3, 3)), ["'m' (MatMul, opset 17): dimension 0 of operand 1", "3", "4"]),
            (*rows((4, 2)), ["'g' (Gemm, opset 17): dimension 0 of operand 2", "2", "3"])], [])
    yield ("batches", BATCHES, rows((3, 3), (1, 4), (4, 1), (1, 1)),
           [(*rows((2, 3)), ["'m' (MatMul, opset 17): dimension 0 of operand 0", "2", "3"])], [])
    yield ("expanded", EXPANDED,
           shaped((3, 3, 3), (3, 1, 3), (1, 5, 3), (1, 1, 1), (0, 1, 3), (0, 0, 3), (1, 0, 3), (6, 6, 1)),
           [(*shaped((2, 3, 3)), ["'y' (Expand, opset 17)", "2", "3"]),
            (*shaped((2, 2, 2)), ["'y' (Expand, opset 17)", "2", "3"])], [])
    images = [{"x": values(5, n, 3), "y": values(2, m, 4, 3)} for n, m in ((3, 5), (1, 1), (8, 2), (2, 8))]
    yield "padded", PADDED, images, [], free[:2]
    def scaled(*runs):
        return [{"x": values(1, 2, h, w), "y": values(1, 3, i, j), "s": np.array(s, np.float32)}
                for h, w, i, j, *s in runs]

    sizes = [f"--dim={name}=1..16" for name in "hwij"]
    yield ("scaled", SCALED,
           scaled((4, 6, 8, 12, 1.5, 2.25), (8, 8, 4, 2, 0.5, 0.75), (3, 5, 3, 5, 1, 1), (2, 8, 16, 4, 4, 0.5)),
           [(*scaled((4, 6, 8, 12, -1, 2)), ["'r' (Resize, opset 17): the size that scales[2] gives", "-1"])], sizes)
    yield "rounded", ROUNDED, [{"x": values(1, 1, 10)}], [], []
    yield ("symbols", SYMBOLS, symbols((3, 3, 3), (1, 1, 1), (8, 8, 8)),
           [(*symbols((3, 2, 3)), ["'sum' (Add, opset 17)", "2", "3"]),
            (*symbols((3, 3, 5)), ["'c' (Concat, opset 17): dimension 0 of operand 2", "5", "3"])], free)


def says(what, words, run):
    try:
        run()
    except Exception as error:
        return [f"{what}: '{word}' is not in: {error}" for word in words if word not in str(error)]
    return [f"{what} runs, but {words[0]} does not fit"]


def check(tools, name, text, feeds, refused, flags):
    from qdialect import Model

    path, problems = tools.path(f"{name}.onnx"), []
    onnx.save(parser.parse_model(HEAD + text), path)
    so = tools.compile(path, tools.path(f"{name}.so"), "--recipe=float", *flags)
    program = tools.compile(path, tools.path(f"{name}.mlir"), "--recipe=float", "--stop-after=import", *flags)
    session = peers.session(path, optimize=False)
    outputs = [o.name for o in session.get_outputs()]
    with Model(so, threads=2) as model:
        for number, feed in enumerate(feeds):
            found = {key: np.array(value) for key, value in model.run(**feed).items()}
            reference = interpreted(tools, program, outputs, feed, ())
            for key, wanted in zip(outputs, session.run(None, feed), strict=True):
                value, where = found[key], f"{name}, run {number}: {key}"
                if value.shape != wanted.shape or not np.allclose(value, wanted, rtol=1e-5, atol=1e-5, equal_nan=True):
                    problems.append(f"{where} of {value.shape} is not ONNX Runtime's of {wanted.shape}")
                if value.shape != reference[key].shape or not np.allclose(value, reference[key], rtol=1e-6, atol=1e-6):
                    problems.append(f"{where} is not the interpreter's")
        for feed, words in refused:
            problems += says(f"{name}, library", words, lambda feed=feed: model.run(**feed))
            problems += says(f"{name}, interpreter", words,
                             lambda feed=feed: interpreted(tools, program, outputs, feed, ()))
    return problems


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--build", default="build")
    arguments.add_argument("--seed", type=int, default=3)
    args = arguments.parse_args()
    tools, failed = Tools(args.build), 0
    print(f"seed {args.seed}")
    for case in cases(np.random.default_rng(args.seed)):
        try:
            problems = check(tools, *case)
        except RuntimeError as error:
            problems = [str(error)]
        failed += bool(problems)
        print(f"{case[0]}: {'; '.join(problems[:4]) or 'ok'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
