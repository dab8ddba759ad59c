# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers with weights of 4 bits beside the same layers with 8: what packing costs where many rows share a weight, and
gains where one reads them all. Codes in, codes out; single kernels: qdialect-kernel-bench avx512vnni packed."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# (input shape, weight shape): goal of the latency with 8 bits over that with 4, on one thread
GOALS = {
    ((384, 768), (768, 768)): 0.9,
    ((1, 4096), (4096, 4096)): 1.6,
    ((1, 768), (768, 768)): None,
    ((1, 64, 56, 56), (64, 64, 3, 3)): 0.9,
    ((1, 256, 56, 56), (64, 256, 1, 1)): 0.9,
}


def layer(shape, weights, bits):
    random = np.random.default_rng(1)
    most, is_conv = 2 ** (bits - 1) - 1, len(shape) == 4
    channels = weights[0] if is_conv else weights[1]
    codes = random.integers(-most, most + 1, weights)
    constants = [
        helper.make_tensor("w_c", TensorProto.INT4 if bits == 4 else TensorProto.INT8, weights, codes.flatten().tolist()),
        numpy_helper.from_array(random.uniform(0.5, 1, channels).astype(np.float32) / most, "w_s"),
        numpy_helper.from_array(np.float32(0.02), "x_s"), numpy_helper.from_array(np.uint8(120), "x_z"),
        numpy_helper.from_array(np.float32(0.05 * np.sqrt(codes.size / channels)), "y_s"),
        numpy_helper.from_array(np.uint8(128), "y_z")]
    pads = {"pads": [weights[2] // 2] * 4} if is_conv else {}
    nodes = [helper.make_node("DequantizeLinear", ["x", "x_s", "x_z"], ["x_d"]),
             helper.make_node("DequantizeLinear", ["w_c", "w_s"], ["w"], axis=0 if is_conv else 1),
             helper.make_node("Conv" if is_conv else "MatMul", ["x_d", "w"], ["sum"], **pads),
             helper.make_node("QuantizeLinear", ["sum", "y_s", "y_z"], ["y"])]
    result = (*shape[:1], channels, *shape[2:]) if is_conv else (shape[0], channels)
    graph = helper.make_graph(nodes, "layer", [helper.make_tensor_value_info("x", TensorProto.UINT8, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.UINT8, result)], constants)
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])


def suite(contestant):
    """The suite for bench.py, which owns the class of contestants."""

    def run(report, tools, args):
        for number, ((shape, weights), goal) in enumerate(GOALS.items()):
            libraries = {}
            for bits in (8, 4):
                path = tools.path(f"packed-{number}-{bits}.onnx")
                onnx.save(layer(shape, weights, bits), path)
                libraries[bits] = tools.compile(path, path[:-5] + ".so", "--target-cpu=native", "--fail-on-fallback")
            team = {bits: contestant("qdialect", so, 1) for bits, so in libraries.items()}
            for _ in range(args.rounds):
                for one in team.values():
                    one.round(args.seconds)
            best = {}
            case = f"{'x'.join(map(str, shape))} times {'x'.join(map(str, weights))}"
            for bits, one in team.items():
                one.close()
                best[bits] = min(one.times)
                report.add("packed", case, f"{bits} bits us", best[bits] * 1e6, None,
                           f"median {np.median(one.times) * 1e6:.1f}")
            report.add("packed", case, "speed over 8 bits", best[8] / best[4], (">=", goal) if goal else None)

    return run
