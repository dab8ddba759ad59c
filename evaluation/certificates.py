# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The bounds of integer sums against adversaries built from the weights, layer by layer: no input leaves a bound, the worst
one comes within a factor of two of it, and overflows a register of one bit less than the bound needs. Every rescale and
function states its error and the widths of what it computes on the way. --quick: digits alone."""

import re

import numpy as np

from evaluation import assembly, digits, minilm
from models import build, photographs
from models import minilm as minilm_model

TRIALS = 1_000_000
LOWEST, HIGHEST = -128, 127
DTYPES = {"i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64}
# An alignment of four bytes stands in front of a blob.
BLOB = re.compile(r'^\s*(\w+): "(?:(/.+)@(\d+)\+(\d+)#.*|0x[0-9A-F]{8}([0-9A-F]+))"', re.M)
CONSTANT = re.compile(r"(%\S+) = arith\.constant .*dense(_resource)?<(.*)> : tensor<([0-9x]*)(i\d+)>")
SCALAR = re.compile(r"(%\S+) = arith\.constant (-?\d+) : i32")
INIT = re.compile(r"(%\S+) = linalg\.(?:generic|fill) .*ins\((%\S+) : .*outs\(")
PRODUCT = re.compile(r"linalg\.(\w+) .*ins\((%\S+), (%\S+) : .*outs\((%\S+) : tensor<([0-9x]+)i32>\)")
BOUND = re.compile(r"qd\.acc_bound = array<i64: (-?\d+), (-?\d+)>.*qd\.macs = (\d+)")


def bits(low, high):
    """Of the smallest two's complement register that holds both."""
    return 1 + max(int(high).bit_length(), int(~low if low < 0 else low).bit_length())


def overflows(value, width):
    return not -(1 << (width - 1)) <= value < 1 << (width - 1)


class Module:
    """The products of a printed module, with the constants that they read."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            self.text = f.read()
        self.blobs = {m[1]: m for m in BLOB.finditer(self.text)}

    def blob(self, name, dtype):
        m = self.blobs[name]
        if m[5]:
            return np.frombuffer(bytes.fromhex(m[5]), dtype)
        return np.fromfile(m[2], dtype, int(m[4]) // np.dtype(dtype).itemsize, offset=int(m[3]))

    def constant(self, m):
        shape, dtype = [int(n) for n in m[4].split("x") if n], DTYPES[m[5]]
        if m[2]:
            values = self.blob(m[3], dtype)
        elif m[3].startswith('"0x'):
            values = np.frombuffer(bytes.fromhex(m[3][3:-1]), dtype)
        else:
            values = np.array([int(n) for n in re.findall(r"-?\d+", m[3])], dtype)
        return np.broadcast_to(values.reshape(()), shape) if values.size == 1 else values.reshape(shape)

    def products(self):
        """(name, bound, depth, weights or None, inits or zero points)"""
        values, inits, lines = {}, {}, self.text.splitlines()
        for i, line in enumerate(lines):
            if m := CONSTANT.search(line):
                values[m[1]] = self.constant(m)
            elif m := SCALAR.search(line):
                values[m[1]] = int(m[2])
            if not (bound := BOUND.search(line)):
                if m := INIT.search(line):
                    inits[m[1]] = m[2]
                continue
            m = PRODUCT.search(line)
            name = re.search(r'qd\.name = "([^"]*)"', line)
            depth = int(bound[3]) // int(np.prod([int(n) for n in m[5].split("x") if n]))
            item = (name[1] if name else m[1], (int(bound[1]), int(bound[2])), depth)
            if m[3] in values and m[1] != "generic":
                yield *item, values[m[3]].astype(np.int64), values.get(inits.get(m[4]), 0)
            elif m[1] == "generic":
                yield *item, None, zero_points(lines[i + 1:])


def zero_points(lines):
    """Of both operands of a payload."""
    zeros, widened = {}, []
    for line in lines:
        if m := SCALAR.search(line):
            zeros[m[1]] = int(m[2])
        if m := re.search(r"(%\S+) = arith\.extsi", line):
            widened.append([m[1], 0])
        if m := re.search(r"arith\.subi (%\S+), (%\S+) :", line):
            for operand in widened:
                if operand[0] == m[1]:
                    operand[1] = zeros.get(m[2], 0)
        if "linalg.yield" in line:
            return [zero for _, zero in widened[:2]]
    return []


def of_weights(weights, init, rng, trials):
    """(least, largest) sum of the adversaries of all channels, and of `trials` inputs beside them."""
    matrix = weights.reshape(-1, weights.shape[-1])
    init = np.broadcast_to(np.asarray(init, np.int64), matrix.shape[-1:])
    high = np.where(matrix > 0, HIGHEST, LOWEST)
    low = np.where(matrix > 0, LOWEST, HIGHEST)
    worst = (int((init + (matrix * low).sum(0)).min()), int((init + (matrix * high).sum(0)).max()))
    seen, done = [0, 0], 0
    while done < trials:
        codes = rng.integers(LOWEST, HIGHEST + 1, (16, len(matrix)))
        # Every second input follows the weights of some channel but for a few codes.
        for row, channel in zip(codes[::2], rng.integers(0, matrix.shape[1], 8)):
            keep = rng.random(len(matrix)) < rng.random()
            row[keep] = (high if rng.random() < 0.5 else low)[keep, channel]
        sums = init + (codes.astype(np.float64) @ matrix.astype(np.float64)).astype(np.int64)  # exact below 2^53
        seen = [min(seen[0], int(sums.min())), max(seen[1], int(sums.max()))]
        done += sums.size
    return worst, seen, done


def of_operands(depth, zeros, rng, trials):
    """The same of a product of two activations."""
    a, b = ([LOWEST - zero, HIGHEST - zero] for zero in zeros)
    corners = [x * y for x in a for y in b]
    worst = (depth * min(corners), depth * max(corners))
    seen, done = [0, 0], 0
    while done < trials:
        x, y = rng.choice(a, (64, depth)), rng.choice(b, (depth, 64))
        x[::2] = rng.integers(a[0], a[1] + 1, x[::2].shape)
        sums = x @ y
        seen = [min(seen[0], int(sums.min())), max(seen[1], int(sums.max()))]
        done += sums.size
    return worst, seen, done


def check_module(report, case, path, trials):
    rng = np.random.default_rng(1)
    products = list(Module(path).products())
    beyond, safe, largest, total = 0, 0, 0.0, 0
    for name, (low, high), depth, weights, extra in products:
        share = trials // len(products) + 1
        if weights is None:
            worst, seen, done = of_operands(depth, extra, rng, share)
        else:
            worst, seen, done = of_weights(weights, extra, rng, share)
        total += done
        width = bits(low, high)
        beyond += min(worst[0], seen[0]) < low or max(worst[1], seen[1]) > high
        fits = not any(overflows(value, width - 1) for value in worst)
        safe += fits
        ratio = max(-low, high) / max(-worst[0], worst[1], 1)
        largest = max(largest, ratio)
        print(f"certificates: {case}: {name}: [{low}, {high}] {width} bits, worst [{worst[0]}, {worst[1]}], {ratio:.3f}")
    report.add("certificates", case, "layers", len(products), (">=", 1), f"{total} trials")
    report.add("certificates", case, "sums beyond a bound", beyond, ("==", 0))
    report.add("certificates", case, "layers that one bit less holds", safe, ("==", 0))
    report.add("certificates", case, "bound over worst adversary", largest, ("<=", 2))


def check_receipt(report, case, so):
    """What rescales and functions state: unittests/Numerics/IntegerBoundsTest.cpp tries it."""
    from qdialect import Model

    with Model(so) as m:
        layers = assembly.inner_layers(m.receipt)
    computing = [layer for layer in layers if "accumulator_bound" in layer or layer["op"].startswith("qd.int_")]
    silent = [layer["name"] for layer in computing if "error_lsb" not in layer or "intermediate_bits" not in layer]
    report.add("certificates", case, "layers without an error or widths", len(silent), ("==", 0), " ".join(silent[:3]))
    bits = [layer["intermediate_bits"] for layer in computing if "intermediate_bits" in layer]
    report.add("certificates", case, "bits of 32 on the way", max((b["i32"] for b in bits), default=0), ("<=", 32))
    report.add("certificates", case, "bits of 64 on the way", max((b["i64"] for b in bits), default=0), ("<=", 64))
    for layer in computing:
        print(f"certificates: {case}: {layer['name']}: error {layer.get('error_lsb', float('nan')):.4g} codes")


def check_pairs(report, case, so):
    """AVX2's product of unsigned and signed bytes saturates its sums of two; no kernel uses it."""
    found = sum(name.startswith("vpmaddubsw") for _, mnemonics in assembly.functions(so) for name in mnemonics)
    report.add("certificates", case, "vpmaddubsw instructions", found, ("==", 0))


def evaluate(report, tools):
    cases = [("digits", digits.MODEL, digits.CALIBRATION)]
    if not tools.quick:
        texts = minilm_model.sentences()
        sentences, crops = tools.path("sentences.npz"), tools.path("photographs.npz")
        np.savez(sentences, **minilm_model.encode_full(texts[:minilm.CALIBRATION]))
        np.savez(crops, image=photographs.calibration())
        cases += [("minilm", build.cached("minilm"), sentences),
                  ("efficientnet-lite0", build.cached("efficientnet-lite0"), crops)]
    for case, model, calibration in cases:
        common = ("--calibration", calibration, "--recipe", "integer-only")
        program = tools.compile(model, tools.path(f"{case}.mlir"), *common, "--stop-after=integerize")
        check_module(report, case, program, TRIALS)
        so = tools.compile(program, tools.path(f"{case}.so"))
        check_pairs(report, case, so)
        check_receipt(report, case, so)
