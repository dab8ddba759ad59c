# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random MatMulNBits (and blocked DequantizeLinear + MatMul) models on the PTX emulator.

The models of matmul_nbits.py with static sizes, some in f16. Products of rounded activations have the bits of the library
for CPUs; those of floats are as near to the exact product as f32 sums are. Blocks that tensor cores take must be on them,
for every target without a spill (where there is ptxas).
"""

import argparse
import json
import os
import sys

import numpy as np
import onnx

from evaluation.tools import Tools
from integration.gpu import TARGETS
from integration.matmul_nbits import Case

FEW_ROWS = 8  # of which products are gemv kernels


def wanted_family(case):
    """The family that must have the product; None where that is not said here."""
    if case.group or case.bits == 8:
        return None
    kind = "block_dot" if case.rounds() else "block_weights"
    # Blocks of half a product of codes are left to mma.
    few = case.m <= FEW_ROWS and not (case.rounds() and case.block == 16)
    return f"{'gemv' if few else 'mma'}_{kind}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "little"))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    tools, random = Tools(args.build), np.random.default_rng(args.seed)
    failed, on_cores, assembled = 0, 0, 0

    def fail(case, what):
        nonlocal failed
        failed += 1
        print(f"FAILED {case}: {what}")

    for number in range(args.count):
        case = Case(random, number)
        case.symbolic = False
        if number % 4 == 1 and not case.rounds():
            case.halve()
        path, x = tools.path(f"{number}.onnx"), tools.path("x.npy")
        onnx.save(case.model(), path)
        np.save(x, case.x.astype(np.float16) if case.half else case.x)
        cpu = tools.compile(path, tools.path("cpu.so"))
        # All targets take time: once.
        targets = TARGETS if number == 0 else "sm_80"
        gpu = tools.compile(path, tools.path("gpu.so"), "--fail-on-fallback", "--target", f"nvptx:{targets}")
        flags = ["--device", "ptx-emulator", "--input", x, "--output-dir", tools.path("out")]
        said = tools.run("q-run", gpu, *flags, "--compare", cpu)
        if case.rounds() and "max_abs_diff 0 " not in said:
            fail(case, f"other bits than the CPU: {said}")
        want, size = case.exact()
        y = np.load(os.path.join(tools.path("out"), "y.npy"))
        bound = size * 1e-5 + 1e-6 + (np.abs(want) / 2048 if case.half else 0)
        if np.max(np.abs(y.astype(np.float64) - want) - bound) > 0:
            fail(case, f"off by {np.max(np.abs(y - want)):g}")
        with open(gpu.replace(".so", ".receipt.json")) as file:
            layers = json.load(file)["layers"]
        families = [layer["kernel"] for layer in layers]
        wanted = wanted_family(case)
        on_cores += wanted is not None
        if wanted and wanted not in families:
            fail(case, f"kernels are {families}, wanted {wanted}")
        rows = [row for layer in layers for row in layer["launches"].values()]
        assembled += sum("registers" in row for row in rows)
        spilled = [
            layer["kernel"]
            for layer in layers
            if layer["kernel"].startswith(("mma", "gemv"))
            if any(row.get("spill_bytes") for row in layer["launches"].values())
        ]
        if spilled:
            fail(case, f"{spilled} spill")
    print(f"{args.count} models, {on_cores} on tensor cores, {assembled} kernels through ptxas, {failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
