# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MatMulNBits of 4 bits with int8 activations (accuracy_level 4), one row (decode) and 128 (prefill), beside ONNX Runtime.

A layer of a 7B-parameter language model, 4096 x 11008. Compared in the same run, because clocks of shared machines drift.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

DEPTH, CHANNELS = 4096, 11008
# (rows, block): goal of ONNX Runtime's latency over ours on one thread
GOALS = {(1, 32): 1.0, (1, 128): 1.0, (128, 32): 1.5, (128, 128): 1.5}


def layer(rows, block):
    random = np.random.default_rng(block)
    blocks = DEPTH // block
    codes = random.integers(0, 256, (CHANNELS, blocks, block // 2), np.uint8)
    scales = random.uniform(0.001, 0.01, (CHANNELS, blocks)).astype(np.float32)
    node = helper.make_node("MatMulNBits", ["x", "b", "s"], ["y"], domain="com.microsoft", K=DEPTH, N=CHANNELS, bits=4,
                            block_size=block, accuracy_level=4)
    graph = helper.make_graph(
        [node], "layer",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (rows, DEPTH))],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (rows, CHANNELS))],
        [numpy_helper.from_array(codes, "b"), numpy_helper.from_array(scales, "s")])
    return helper.make_model(graph, ir_version=10, opset_imports=[
        helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)])


def suite(contestant):
    """The suite for bench.py, which owns the class of contestants."""

    def run(report, tools, args):
        for (rows, block), goal in GOALS.items():
            path = tools.path(f"nbits-{rows}-{block}.onnx")
            onnx.save(layer(rows, block), path)
            so = tools.compile(path, path[:-5] + ".so", "--target-cpu=native", "--fail-on-fallback")
            for threads in (1, 2):
                team = {"ours": contestant("qdialect", so, threads), "ORT": contestant("ort", path, threads)}
                for _ in range(args.rounds):
                    for one in team.values():
                        one.round(args.seconds)
                case, best = f"{rows} rows block {block} {threads} thread", {}
                for who, one in team.items():
                    one.close()
                    best[who] = min(one.times)
                    report.add("nbits", case, f"{who} GMAC/s", rows * DEPTH * CHANNELS / best[who] / 1e9, None,
                               f"median {np.median(one.times) * 1e3:.2f} ms")
                report.add("nbits", case, "speed over ORT", best["ORT"] / best["ours"],
                           (">=", goal) if threads == 1 else None)

    return run
