# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small networks with random weights, one of each kind: residual, inverted residual, detector, recurrent, encoder."""

import numpy as np
from onnx import TensorProto

from models.onnx_graph import Graph, info


class Writer(Graph):
    """Layers with weights drawn from the seed; channels come first."""

    def __init__(self, seed):
        super().__init__()
        self.rng, self.count = np.random.default_rng(seed), 0

    def node(self, kind, *inputs, **attrs):
        self.count += 1
        return self.op(kind, list(inputs), f"{kind.lower()}_{self.count}", **attrs)

    def value(self, array):
        self.count += 1
        return self.const(f"const_{self.count}", array)

    def floats(self, array):
        return self.value(np.asarray(array, np.float32))

    def normal(self, *shape):
        return self.floats(self.rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:])))

    def vector(self, size, low=-0.2, high=0.2):
        return self.floats(self.rng.uniform(low, high, size))

    def conv(self, x, inputs, outputs, kernel=3, stride=1, group=1, bias=False):
        weights = self.normal(outputs, inputs // group, kernel, kernel)
        return self.node("Conv", x, weights, *([self.vector(outputs)] if bias else []), kernel_shape=[kernel] * 2,
                         strides=[stride] * 2, pads=[kernel // 2] * 4, group=group)

    def norm(self, x, channels):
        return self.node("BatchNormalization", x, self.vector(channels, 0.6, 1.4), self.vector(channels),
                         self.vector(channels), self.vector(channels, 0.6, 1.4))

    def linear(self, x, inputs, outputs):
        return self.node("Gemm", x, self.normal(outputs, inputs), self.vector(outputs), transB=1)


def residual(g, x):
    """Bottlenecks with a projection and an identity, as ResNet-50 has them."""
    x = g.node("Relu", g.norm(g.conv(x, 3, 16, stride=2), 16))
    x = g.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for inputs, outputs, stride in ((16, 32, 1), (32, 32, 1), (32, 48, 2)):
        y = g.node("Relu", g.norm(g.conv(x, inputs, 16, kernel=1), 16))
        y = g.node("Relu", g.norm(g.conv(y, 16, 16, stride=stride), 16))
        y = g.norm(g.conv(y, 16, outputs, kernel=1), outputs)
        if inputs != outputs:
            x = g.norm(g.conv(x, inputs, outputs, kernel=1, stride=stride), outputs)
        x = g.node("Relu", g.node("Add", y, x))
    x = g.node("Flatten", g.node("GlobalAveragePool", x))
    return g.linear(x, 48, 10)


def inverted(g, x):
    """Depthwise layers, SiLU, squeeze and excitation, and a six-bounded ReLU."""
    def silu(x):
        return g.node("Mul", x, g.node("Sigmoid", x))

    zero, six = g.floats(0), g.floats(6)
    x = g.node("Clip", g.norm(g.conv(x, 3, 16, stride=2), 16), zero, six)
    for stride in (1, 2):
        y = silu(g.norm(g.conv(x, 16, 48, kernel=1), 48))
        y = silu(g.norm(g.conv(y, 48, 48, stride=stride, group=48), 48))
        s = g.node("ReduceMean", y, axes=[2, 3], keepdims=1)
        s = silu(g.conv(s, 48, 8, kernel=1, bias=True))
        s = g.node("Sigmoid", g.conv(s, 8, 48, kernel=1, bias=True))
        y = g.norm(g.conv(g.node("Mul", s, y), 48, 16, kernel=1), 16)
        x = g.node("Add", x, y) if stride == 1 else y
    x = g.node("Reshape", g.node("GlobalAveragePool", x), g.value(np.array([1, -1])))
    return g.linear(x, 16, 10)


def detector(g, x):
    """Two scales, the coarse one enlarged and joined to the fine one, and heads for boxes and classes."""
    fine = g.node("Relu", g.norm(g.conv(x, 3, 16, stride=2), 16))
    coarse = g.node("Relu", g.norm(g.conv(fine, 16, 32, stride=2), 32))
    large = g.node("Resize", g.conv(coarse, 32, 16, kernel=1, bias=True), "", g.floats([1, 1, 2, 2]), mode="nearest",
                   coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    fine = g.node("LeakyRelu", g.conv(g.node("Concat", fine, large, axis=1), 32, 16, bias=True), alpha=0.1)
    found = []
    for level, channels in ((fine, 16), (coarse, 32)):
        y = g.conv(level, channels, 3 * 7, kernel=1, bias=True)
        y = g.node("Transpose", y, perm=[0, 2, 3, 1])
        found.append(g.node("Reshape", y, g.value(np.array([1, -1, 7]))))
    return g.node("Sigmoid", g.node("Concat", *found, axis=1))


def recurrent(g, x):
    """A projection, an LSTM over twelve steps, and a layer for each step."""
    x = g.node("Relu", g.node("Add", g.node("MatMul", x, g.normal(20, 24)), g.vector(24)))
    gates = 4 * 32
    y = g.node("LSTM", x, g.normal(1, gates, 24), g.normal(1, gates, 32), g.vector((1, 2 * gates)), hidden_size=32)
    y = g.node("Squeeze", y, g.value(np.array([1])))
    y = g.node("Reshape", y, g.value(np.array([12, 32])))
    return g.linear(y, 32, 5)


def encoder(g, x):
    """A layer of a transformer, norms and softmax as operators of their own."""
    width, heads = 32, 4

    def linear(x, inputs, outputs):
        return g.node("Add", g.node("MatMul", x, g.normal(inputs, outputs)), g.vector(outputs))

    def norm(x):
        return g.node("LayerNormalization", x, g.vector(width, 0.6, 1.4), g.vector(width), axis=-1)

    split, joined = g.value(np.array([1, 16, heads, width // heads])), g.value(np.array([1, 16, width]))

    def head(perm):
        return g.node("Transpose", g.node("Reshape", linear(x, width, width), split), perm=perm)

    scores = g.node("MatMul", head([0, 2, 1, 3]), head([0, 2, 3, 1]))
    scores = g.node("Div", scores, g.floats(np.sqrt(width // heads)))
    mixed = g.node("MatMul", g.node("Softmax", scores, axis=-1), head([0, 2, 1, 3]))
    mixed = g.node("Reshape", g.node("Transpose", mixed, perm=[0, 2, 1, 3]), joined)
    x = norm(g.node("Add", x, linear(mixed, width, width)))
    y = linear(x, width, 4 * width)
    half = g.node("Mul", y, g.floats(0.5))
    erf = g.node("Erf", g.node("Div", y, g.floats(np.sqrt(2))))
    y = g.node("Mul", half, g.node("Add", erf, g.floats(1)))
    return norm(g.node("Add", x, linear(y, 4 * width, width)))


IMAGE = [1, 3, 32, 32]
MODELS = {"residual": (residual, IMAGE), "inverted residual": (inverted, IMAGE), "detector": (detector, IMAGE),
          "recurrent": (recurrent, [12, 1, 20]), "encoder": (encoder, [1, 16, 32])}
NAMES = list(MODELS)


def build(name, path, seed):
    """Writes the model; returns samples of its input."""
    make, shape = MODELS[name]
    g = Writer(seed)
    result = make(g, "x")
    g.save([info("x", TensorProto.FLOAT, shape)], [info(result, TensorProto.FLOAT, None)], name, path)
    return {"x": g.rng.standard_normal([4, *shape]).astype(np.float32)}
