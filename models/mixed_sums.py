# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small network of random weights with every kind of sum that is no product with weights: pools, means over images and
channels, sums and products of two tensors, gates of channels, affine maps of channels, a concatenation, resized images."""

import numpy as np
from onnx import TensorProto

from models.onnx_graph import Graph, info

CHANNELS, SIZE = 24, 20


def build(path):
    """Writes the model; what it takes is `x`, 1x3x20x20."""
    rng = np.random.default_rng(11)
    g = Graph()

    def constant(name, *shape, spread=1.0):
        return g.const(name, (rng.standard_normal(shape) * spread).astype(np.float32))

    def convolution(x, out, inputs, outputs, kernel=3):
        weight = constant(f"{out}_w", outputs, inputs, kernel, kernel, spread=1 / np.sqrt(inputs * kernel * kernel))
        return g.op("Conv", [x, weight, constant(f"{out}_b", outputs, spread=0.1)], out, pads=[kernel // 2] * 4)

    stem = g.op("Relu", [convolution("x", "stem_conv", 3, CHANNELS)], "stem")
    left, right = (convolution(stem, name, CHANNELS, CHANNELS, 1) for name in ("left", "right"))
    total = g.op("Add", [left, right], "residual")
    difference = g.op("Sub", [total, stem], "difference")
    product = g.op("Mul", [difference, g.op("Sigmoid", [right], "gate_full")], "product")
    mean = g.op("GlobalAveragePool", [product], "image_mean")
    gate = g.op("Sigmoid", [convolution(mean, "squeeze", CHANNELS, CHANNELS, 1)], "gate")
    gated = g.op("Mul", [product, gate], "gated")
    scaled = g.op("Mul", [gated, constant("factor", CHANNELS, 1, 1)], "scaled")
    affine = g.op("Add", [scaled, constant("offset", CHANNELS, 1, 1)], "affine")
    pooled = g.op("AveragePool", [affine], "pooled", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
                  count_include_pad=1)
    sizes = g.const("scales", np.array([1, 1, 2, 2], np.float32))
    enlarged = [g.op("Resize", [pooled, "", sizes], f"{mode}_resize", mode=mode, **more)
                for mode, more in (("linear", {}), ("cubic", {}), ("nearest", {"nearest_mode": "floor",
                                   "coordinate_transformation_mode": "asymmetric"}))]
    joined = g.op("Concat", [stem, *enlarged], "joined", axis=1)
    row = g.op("ReduceMean", [joined], "row_mean", axes=[3], keepdims=1)
    mixed = g.op("Sub", [joined, row], "centred")
    y = g.op("GlobalAveragePool", [convolution(mixed, "head", 4 * CHANNELS, 8)], "y")
    g.save([info("x", TensorProto.FLOAT, [1, 3, SIZE, SIZE])], [info(y, TensorProto.FLOAT, [1, 8, 1, 1])], "mixed-sums",
           path)


def samples(count):
    """`count` random inputs, smooth along both axes."""
    rng = np.random.default_rng(12)
    noise = rng.standard_normal((count, 3, SIZE, SIZE))
    return np.cumsum(np.cumsum(noise, 2), 3).astype(np.float32) / 8
