# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The bounds of integers before their rounding against adversaries: products against those built from the weights, pools,
sums and products of tensors and interpolations against extreme codes. No input leaves a bound, the worst one comes within
a factor of two of it, and overflows a register of one bit less than the bound needs. Every rescale and function states its
error and the widths of what it computes on the way. --quick: digits and a network of such sums."""

import re

import numpy as np

from evaluation import assembly, digits, minilm
from evaluation.payloads import Payload, bits
from evaluation.printed_module import SCALAR, Module
from models import build, mixed_sums, photographs
from models import minilm as minilm_model

TRIALS = 1_000_000
LOWEST, HIGHEST = -128, 127


def overflows(value, width):
    return not -(1 << (width - 1)) <= value < 1 << (width - 1)


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
    return [zero for _, zero in widened[:2]]


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


def of_terms(op, rng, trials):
    """The same of a sum of codes: an average pool's or a mean's."""
    (_, (shape, _)), *window = op.operands
    depth = int(np.prod(window[0][1][0])) if window else int(np.prod(shape)) // int(np.prod(op.result[0]))
    start = np.asarray(op.start(), np.int64)
    worst = int(start.min()) + depth * LOWEST, int(start.max()) + depth * HIGHEST
    sums = start.reshape(-1, 1) + rng.integers(LOWEST, HIGHEST + 1, (trials // depth + 1, depth)).sum(1)
    return worst, [int(sums.min()), int(sums.max())], sums.size


def of_payload(op, rng, trials):
    """The same of what an element-wise op computes of codes: a sum, a product, an interpolation. No step on the way leaves
    its type (Payload.evaluate sees to that)."""
    payload = Payload(op)
    ends = [(-(1 << (width - 1)), (1 << (width - 1)) - 1) for _, width in payload.codes]
    corners = payload.evaluate(np.array(np.meshgrid(*ends, indexing="ij")).reshape(len(ends), -1))
    count = trials // max(corners[0].size, 1) + 1
    codes = np.array([rng.integers(low, high + 1, count) for low, high in ends])
    # Every second trial has some codes at their ends.
    at_end = rng.random(codes.shape) < 0.5
    at_end[:, ::2] = False
    codes = np.where(at_end, np.array([rng.choice(pair, count) for pair in ends]), codes)
    values = payload.evaluate(codes)
    return ((int(corners.min()), int(corners.max())), [int(values.min()), int(values.max())], values.size)


def attack(op, rng, trials):
    """(sums of the worst adversary, of the trials, how many trials)"""
    if op.is_elementwise:
        return of_payload(op, rng, trials)
    if not op.macs:
        return of_terms(op, rng, trials)
    second = op.operands[1][0]
    if second in op.module.values:
        return of_weights(op.module.values[second], op.start(), rng, trials)
    return of_operands(op.macs // int(np.prod(op.result[0])), zero_points(op.body), rng, trials)


def check_module(report, case, path, trials):
    rng = np.random.default_rng(1)
    share = trials // max(Module(path).text.count("qd.acc_bound"), 1) + 1
    beyond, safe, largest, total, kinds = 0, 0, 0.0, 0, {}
    for op in Module(path).bounded():
        low, high = op.bound
        worst, seen, done = attack(op, rng, share)
        kind = "element-wise" if op.is_elementwise else "products" if op.macs else "sums of codes"
        kinds[kind] = kinds.get(kind, 0) + 1
        total += done
        width = bits(low, high)
        beyond += min(worst[0], seen[0]) < low or max(worst[1], seen[1]) > high
        fits = not any(overflows(value, width - 1) for value in worst)
        safe += fits
        ratio = max(-low, high) / max(-worst[0], worst[1], 1)
        largest = max(largest, ratio)
        print(f"certificates: {case}: {op.name}: [{low}, {high}] {width} bits, worst [{worst[0]}, {worst[1]}], {ratio:.3f}")
    report.add("certificates", case, "bounds", sum(kinds.values()), (">=", 1),
               ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) + f"; {total} trials")
    report.add("certificates", case, "numbers beyond a bound", beyond, ("==", 0))
    report.add("certificates", case, "bounds that one bit less holds", safe, ("==", 0))
    report.add("certificates", case, "bound over worst adversary", largest, ("<=", 2))


def check_receipt(report, case, so):
    """What rescales and functions state: unittests/Numerics/IntegerBoundsTest.cpp tries it."""
    from qdialect import Model

    with Model(so) as m:
        layers = assembly.inner_layers(m.receipt)
    # Sums of bytes of wider codes are handed on as they are.
    computing = [layer for layer in layers if not re.search(r"xi(32|64)>", layer["output"]) and
                 ("accumulator_bound" in layer or layer["op"].startswith("qd.int_"))]
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
    sums, inputs = tools.path("mixed-sums.onnx"), tools.path("mixed-sums.npz")
    mixed_sums.build(sums)
    np.savez(inputs, x=mixed_sums.samples(16))
    integers, wide = ("--recipe", "integer-only"), ("--recipe", "w8a16-int", "--rescale=dyadic")
    cases = [("digits", digits.MODEL, digits.CALIBRATION, integers), ("sums of bytes", sums, inputs, integers),
             ("sums of 16 bits", sums, inputs, wide)]
    if not tools.quick:
        texts = minilm_model.sentences()
        sentences, crops = tools.path("sentences.npz"), tools.path("photographs.npz")
        np.savez(sentences, **minilm_model.encode_full(texts[:minilm.CALIBRATION]))
        np.savez(crops, image=photographs.calibration())
        cases += [("minilm", build.cached("minilm"), sentences, integers),
                  ("efficientnet-lite0", build.cached("efficientnet-lite0"), crops, integers)]
    for case, model, calibration, recipe in cases:
        program = tools.path(f"{case.replace(' ', '-')}.mlir")
        tools.compile(model, program, "--calibration", calibration, *recipe, "--stop-after=integerize")
        check_module(report, case, program, TRIALS)
        so = tools.compile(program, program.replace(".mlir", ".so"))
        check_pairs(report, case, so)
        check_receipt(report, case, so)
