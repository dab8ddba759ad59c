# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The recipe llm-int8 over networks of which some channels are much larger than the others.

Nearer to the float model than the same recipe without channels in floats; the library for CPUs equals the interpreted
program and the one for GPUs (on the PTX emulator, six targets assembled where there is ptxas) the CPU's, bit for bit; the
receipt counts the channels of each layer, which are no fallbacks.
"""

import argparse
import json
import re
import sys

import numpy as np
import onnx

from evaluation.smoothing import outlier_block
from evaluation.tools import Tools
from integration.weight_blocks import SIZES, network

SQNR = re.compile(r"sqnr_db (\S+)")
TARGETS = "nvptx:sm_80,sm_86,sm_89,sm_90,sm_100,sm_120"
# Of the 200 channels that the first layer reads, eleven: more than one step of a kernel's epilogue adds.
LARGE = [3, 20, 21, 77, 100, 101, 102, 150, 180, 198, 199]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    tools, random, failed = Tools(parser.parse_args().build), np.random.default_rng(1), 0
    plain = tools.path("plain.yaml")
    with open(plain, "w") as file:
        file.write("name: plain\nbase: w8a8-dynamic\n"
                   "activations: {format: s8, granularity: token, dynamic: true, symmetric: true}\n")

    def expect(condition, what):
        nonlocal failed
        if not condition:
            failed += 1
            print(f"FAILED {name}: {what}")

    def compare(library, reference, *flags):
        said = tools.run("q-run", library, "--input", x, "--compare", reference, *flags)
        return min(float(found) for found in SQNR.findall(said))

    def outliers(library):
        with open(library.replace(".so", ".receipt.json")) as file:
            layers = json.load(file)["layers"]
        return [layer["outlier_channels"] for layer in layers if "outlier_channels" in layer]

    def check(model, samples, wanted, gain, *flags):
        np.save(x, samples[0])
        data = tools.path(f"{name}.npz")
        np.savez(data, x=np.concatenate(samples))
        flags = ["--calibration", data, "--fail-on-fallback", *flags]
        own = ["--recipe", "llm-int8", *flags]
        program = tools.compile(model, tools.path(f"{name}.mlirbc"), *own, "--stop-after=dispatch")
        cpu = tools.compile(model, tools.path(f"{name}.so"), *own)
        gpu = tools.compile(model, tools.path(f"{name}-gpu.so"), *own, "--target", TARGETS)
        rounded = tools.compile(model, tools.path(f"{name}-plain.so"), "--recipe", plain, *flags)
        # A GPU's library has kernels for blocks of rows, too.
        expect(outliers(cpu) == wanted and set(outliers(gpu)) == set(wanted) and outliers(rounded) == [],
               f"channels in floats are {outliers(cpu)}, {outliers(gpu)}, {outliers(rounded)}")
        exact = tools.compile(model, tools.path(f"{name}-float.so"), "--recipe", "float", *flags[3:])
        near, without = compare(cpu, exact), compare(rounded, exact)
        expect(near >= without + gain, f"{near} dB from the float model, {without} without channels in floats")
        expect(compare(cpu, program) == np.inf, "the library is not what the program says")
        expect(compare(gpu, cpu, "--device", "ptx-emulator") == np.inf, "the GPU's library is not the CPU's")
        print(f"{name}: {near} dB from the float model, {without} without channels in floats")

    spread = np.ones(SIZES[0], np.float32)
    spread[LARGE] = 30
    for name, rows, as_gemm, flags in (("gemm", [17], True, []), ("batch", [2, 9], False, []), ("row", [1], False, []),
                                       ("symbolic", ["n"], False, ["--dim", "n=1..200"])):
        model, x = tools.path(f"{name}.onnx"), tools.path(f"{name}.npy")
        onnx.save(network(random, rows, as_gemm, spread), model)
        shape = [19 if row == "n" else row for row in rows]
        samples = random.uniform(-1, 1, size=(8, *shape, SIZES[0])).astype(np.float32) * spread
        check(model, list(samples), [len(LARGE)], 12, *flags)

    name = "block"
    model, x = tools.path("block.onnx"), tools.path("block.npy")
    samples, _ = outlier_block(model)
    # Eight channels of each norm, read by three and by two products, of the values and the 32 of the gated unit.
    check(model, list(samples[:16]), [8, 8, 8, 8, 8, 8, 32], 6)
    print(f"{failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
