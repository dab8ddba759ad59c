# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The recipes with weights by blocks (w4a16, w8a16, w4a8), of minifloats (fp6, fp8) and of few bits (w3a8, w2a8) over small
float networks.

Near the float model, codes packed in the library, nothing asked to be integer that is not; the library for CPUs equals the
interpreted program and the one for GPUs (on the PTX emulator) the CPU's, bit for bit where activations are codes, else as
near as f32 sums are.
"""

import argparse
import json
import re
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

from evaluation.tools import Tools

SIZES = [200, 320, 64]
# Recipe: least SQNR in dB to the float model, kernels of products on CPUs and on GPUs, bits of a weight on either.
# "mma" is "gemv" for one row.
RECIPES = {
    "w4a16": (17, "block-weights", "mma_block_weights", 4, 4),
    "w8a16": (40, "block-weights", "mma_block_weights", 8, 8),
    "w4a8": (17, "block-dot", "mma_block_dot", 4, 4),
    "fp6": (24, "block-weights", "mma_block_weights", 6, 6),
    "fp8": (26, "block-weights", "mma_fp8", 8, 8),
    "w3a8": (9, "contraction", "mma_bits", 4, 3),
    "w2a8": (4, "contraction", "mma_bits", 2, 2),
}
# Least SQNR to the same program run elsewhere. Sums in another order differ by their last bits, and next to a tie so does a
# code of them.
SAME = {"w4a8": np.inf, "w3a8": np.inf, "w2a8": np.inf, "fp8": 50}
SQNR = re.compile(r"sqnr_db (\S+)")


def network(random, rows, as_gemm, spread=1):
    """Two layers with a relu between them; Gemm with transposed weights, or MatMul and Add. The first takes its input's
    channels divided by `spread`."""
    nodes, inits, value = [], [], "x"
    for i, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:], strict=False)):
        weight = (random.normal(size=(inputs, outputs)) / np.sqrt(inputs)).astype(np.float32)
        if i == 0:
            weight /= np.reshape(spread, (-1, 1)).astype(np.float32)
        bias = random.normal(size=outputs).astype(np.float32)
        inits.append(numpy_helper.from_array(np.ascontiguousarray(weight.T) if as_gemm else weight, f"w{i}"))
        inits.append(numpy_helper.from_array(bias, f"b{i}"))
        if as_gemm:
            nodes.append(helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [f"h{i}"], transB=1))
        else:
            nodes.append(helper.make_node("MatMul", [value, f"w{i}"], [f"m{i}"]))
            nodes.append(helper.make_node("Add", [f"m{i}", f"b{i}"], [f"h{i}"]))
        value = f"h{i}"
        if i + 2 < len(SIZES):
            nodes.append(helper.make_node("Relu", [value], [f"r{i}"]))
            value = f"r{i}"
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, [*rows, SIZES[0]])],
        [helper.make_tensor_value_info(value, 1, [*rows, SIZES[-1]])],
        inits,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    tools, random, failed = Tools(parser.parse_args().build), np.random.default_rng(1), 0

    def expect(condition, what):
        nonlocal failed
        if not condition:
            failed += 1
            print(f"FAILED {name} {recipe}: {what}")

    def compare(library, reference, *flags):
        said = tools.run("q-run", library, "--input", x, "--compare", reference, *flags)
        return float(SQNR.search(said).group(1))

    for name, rows, as_gemm in (("gemm", [17], True), ("batch", [2, 9], False), ("row", [1], False)):
        model, x = tools.path(f"{name}.onnx"), tools.path(f"{name}.npy")
        onnx.save(network(random, rows, as_gemm), model)
        np.save(x, random.normal(size=(*rows, SIZES[0])).astype(np.float32))
        samples = random.normal(size=(8 * rows[0], *rows[1:], SIZES[0])).astype(np.float32)
        np.savez(tools.path(f"{name}.npz"), x=samples)
        for recipe, (least, on_cpu, on_gpu, cpu_bits, gpu_bits) in RECIPES.items():
            flags = ["--recipe", recipe, "--fail-on-fallback"]
            if recipe == "fp8":
                flags += ["--calibration", tools.path(f"{name}.npz")]
            program = tools.compile(model, tools.path(f"{name}-{recipe}.mlirbc"), *flags, "--stop-after=dispatch")
            cpu = tools.compile(model, tools.path(f"{name}-{recipe}.so"), *flags)
            gpu = tools.compile(model, tools.path(f"{name}-{recipe}-gpu.so"), *flags, "--target", "nvptx:sm_80")
            near = compare(cpu, model)
            expect(near >= least, f"{near} dB from the float model, at least {least} wanted")
            same = SAME.get(recipe, 110)
            expect(compare(cpu, program) >= same, "the library is not what the program says")
            expect(compare(gpu, cpu, "--device", "ptx-emulator") >= same, "the GPU's library is not the CPU's")
            for library, wanted, bits in ((cpu, on_cpu, cpu_bits), (gpu, on_gpu, gpu_bits)):
                with open(library.replace(".so", ".receipt.json")) as file:
                    products = [layer for layer in json.load(file)["layers"] if layer["macs"]]
                found = [(layer["kernel"], layer["weight_bits"]) for layer in products]
                if rows == [1]:
                    wanted = wanted.replace("mma_block", "gemv_block")
                expect(found == [(wanted, bits)] * 2, f"kernels and weight bits are {found}")
            print(f"{name} {recipe}: {near} dB from the float model")
    print(f"{failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
