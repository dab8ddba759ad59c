# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random small convolutional networks keep their function through the normalize passes, and passes that follow.

  random_networks.py FOLDER COUNT [PASS]

Each network is imported, run by the interpreter as imported and after the passes, and compared: largest error over
largest value at most 1e-5 (sums are taken in another order). Prints how many networks agreed, how many transposes are
left in all, and how many networks PASS changed. The seed is the number of the network.
"""
import os
import re
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PASSES = ("builtin.module(func.func(qd-fold-constants,qd-fold-channel-affine,qd-convert-to-channel-last,"
          "qd-propagate-transposes),canonicalize,cse%s)")


class Network:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.inits, self.counter = [], [], 0

    def const(self, shape, low=-1.0, high=1.0):
        return self.value(self.random.uniform(low, high, shape).astype(np.float32))

    def value(self, array):
        name = f"c{len(self.inits)}"
        self.inits.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind, inputs, **attributes):
        self.counter += 1
        name = f"v{self.counter}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    # Each block takes (value, channels, height, width) and returns the same four.
    def conv(self, x, c, h, w):
        groups = int(self.random.choice([1, 1, 2, c])) if c % 2 == 0 else 1
        outputs = groups * int(self.random.integers(1, 4)) if groups > 1 else int(self.random.integers(1, 9))
        k = int(self.random.choice([1, 3]))
        stride = int(self.random.choice([1, 1, 2]))
        pads = [int(self.random.integers(0, k)) for _ in range(4)]
        if h + pads[0] + pads[2] < k or w + pads[1] + pads[3] < k:
            return x, c, h, w
        inputs = [x, self.const((outputs, c // groups, k, k))]
        if self.random.random() < 0.5:
            inputs.append(self.const((outputs,)))
        y = self.op("Conv", inputs, group=groups, pads=pads, strides=[stride, stride], kernel_shape=[k, k])
        return (y, outputs, (h + pads[0] + pads[2] - k) // stride + 1, (w + pads[1] + pads[3] - k) // stride + 1)

    def batch_norm(self, x, c, h, w):
        parts = [self.const((c,), 0.5, 2), self.const((c,)), self.const((c,)), self.const((c,), 0.5, 2)]
        return self.op("BatchNormalization", [x] + parts), c, h, w

    def relu(self, x, c, h, w):
        return self.op("Relu", [x]), c, h, w

    def sigmoid(self, x, c, h, w):
        return self.op("Sigmoid", [x]), c, h, w

    def scale(self, x, c, h, w):
        return self.op("Mul", [x, self.const((1, c, 1, 1))]), c, h, w

    def shift(self, x, c, h, w):
        return self.op("Sub", [x, self.const(())]), c, h, w

    def pool(self, x, c, h, w):
        if h < 2 or w < 2:
            return x, c, h, w
        kind = str(self.random.choice(["MaxPool", "AveragePool"]))
        return self.op(kind, [x], kernel_shape=[2, 2], strides=[1, 1]), c, h - 1, w - 1

    def residual(self, x, c, h, w):
        y = self.op("Conv", [x, self.const((c, c, 3, 3))], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
        return self.op("Add", [self.relu(y, c, h, w)[0], x]), c, h, w

    def branches(self, x, c, h, w):
        a = self.op("Conv", [x, self.const((3, c, 1, 1))], kernel_shape=[1, 1])
        return self.op("Concat", [a, x], axis=1), c + 3, h, w

    def gate(self, x, c, h, w):
        mean = self.op("GlobalAveragePool", [x])
        gate = self.op("Conv", [mean, self.const((c, c, 1, 1))], kernel_shape=[1, 1])
        return self.op("Mul", [x, self.op("Sigmoid", [gate])]), c, h, w

    def product(self, x, c, h, w):
        """The value times a positively homogeneous function of itself: degree 2, where every factor shows."""
        kind = int(self.random.integers(3))
        if kind == 0:
            g = self.op("GlobalAveragePool", [x])
        elif kind == 1:
            g = self.op("MaxPool", [x], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        else:
            g = self.op("Abs", [x])
        return self.op("Mul", [x, g] if self.random.random() < 0.5 else [g, x]), c, h, w

    def gated_unit(self, x, c, h, w):
        """The product of two convolutions of the value: one of them may take factors."""
        a, b = (self.op("Conv", [x, self.const((c, c, 1, 1))], kernel_shape=[1, 1]) for _ in range(2))
        y = self.op("Mul", [a, b])
        return self.op("Conv", [y, self.const((c, c, 1, 1))], kernel_shape=[1, 1]), c, h, w

    def build(self, path):
        shape = (int(self.random.integers(1, 3)), int(self.random.integers(1, 5)), int(self.random.integers(4, 10)),
                 int(self.random.integers(4, 10)))
        blocks = [self.conv, self.conv, self.batch_norm, self.relu, self.sigmoid, self.scale, self.shift, self.pool,
                  self.residual, self.branches, self.gate, self.product, self.gated_unit]
        state = ("x",) + shape[1:]
        for _ in range(int(self.random.integers(4, 10))):
            state = blocks[int(self.random.integers(len(blocks)))](*state)
        y, c, h, w = state
        ending = int(self.random.integers(3))
        if ending == 0:
            y = self.op("GlobalAveragePool", [y])
            h = w = 1
        if ending < 2:
            y = self.op("Flatten", [y])
            y = self.op("Gemm", [y, self.const((5, c * h * w)), self.const((5,))], transB=1)
        else:
            y = self.op("Identity", [y])
        self.nodes[-1].output[0] = "y"
        if not self.nodes:
            raise ValueError("empty network")
        graph = helper.make_graph(self.nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], self.inits)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        model = onnx.shape_inference.infer_shapes(model)
        onnx.save(model, path)
        return self.random.standard_normal(shape).astype(np.float32)


def run(program, folder):
    out = os.path.join(folder, "out")
    subprocess.run(["q-run", "--interpret", program, "--input", os.path.join(folder, "x.npy"), "--output-dir", out],
                   check=True, stdout=subprocess.DEVNULL)
    return np.load(os.path.join(out, "y.npy"))


def rewrite(program, passes, result):
    subprocess.run(["q-opt", program, f"--pass-pipeline={passes}", "-o", result], check=True)
    with open(result) as text:
        return text.read()


def main(folder, count, behind=None):
    os.makedirs(folder, exist_ok=True)
    model, imported, normalized = (os.path.join(folder, name) for name in ("m.onnx", "a.mlir", "b.mlir"))
    agreed = transposes = changed = 0
    for seed in range(count):
        np.save(os.path.join(folder, "x.npy"), Network(seed).build(model))
        subprocess.run(["q-translate", "--import-onnx", model, "-o", imported], check=True)
        text = rewrite(imported, PASSES % "", normalized)
        if behind:
            changed += rewrite(imported, PASSES % f",func.func({behind})", normalized) != text
        before, after = run(imported, folder), run(normalized, folder)
        error = np.abs(before - after).max() / max(np.abs(before).max(), 1e-30)
        if before.shape != after.shape or not error <= 1e-5:
            print(f"seed {seed}: error {error}, shapes {before.shape} {after.shape}")
        else:
            agreed += 1
        transposes += len(re.findall(r"linalg\.transpose", text))
    print(f"agreed: {agreed} of {count}, transposes left: {transposes}, changed: {changed}")
    return agreed != count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
