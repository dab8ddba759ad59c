# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Train the digits CNN, or a network of depthwise and pointwise convolutions, and write what the demo and the evaluation
need beside this file.

  python -m models.digits.train [--network digits|mobile] [--images digits.png] [--epochs N]

The data are the 5,000 handwritten digits (20 x 20, 500 a class) of Debian's package opencv-doc: digits.png is
50 rows x 100 columns of cells, five rows a class. Rows 0-3 of each class train (4,000 images), row 4 tests (1,000).
The test images and a calibration set of 100 training images are checked in, so that the demo needs no package.

Writes digits.onnx or mobile.onnx (float, opset 17); with digits test.npz {image, label} and calibration.npz {image}, too.
"""

import argparse
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from models.digits import layers as nn

HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT_IMAGES = "/usr/share/doc/opencv-doc/examples/data/digits.png"


def load(path):
    sheet = np.asarray(Image.open(path).convert("L"), np.float32) / 255
    cells = sheet.reshape(50, 20, 100, 20).transpose(0, 2, 1, 3)  # row, column, y, x
    images = cells.reshape(10, 5, 100, 1, 20, 20)
    labels = np.repeat(np.arange(10), 400)
    train = images[:, :4].reshape(4000, 1, 20, 20)
    test = images[:, 4].reshape(1000, 1, 20, 20)
    return train, labels, test, np.repeat(np.arange(10), 100)


def build(rng):
    """Plain, strided, depthwise and pointwise convolutions, a residual and both pools: every kernel of the road."""
    return [
        nn.Conv(rng, 1, 16, 3), nn.BatchNorm(16), nn.Relu(),
        nn.Conv(rng, 16, 32, 3, stride=2), nn.BatchNorm(32), nn.Relu(),
        nn.Residual(nn.Conv(rng, 32, 32, 3, depthwise=True), nn.BatchNorm(32), nn.Relu(),
                    nn.Conv(rng, 32, 32, 1), nn.BatchNorm(32)),
        nn.MaxPool2(),
        nn.Conv(rng, 32, 64, 3), nn.BatchNorm(64), nn.Relu(),
        nn.Residual(nn.Conv(rng, 64, 64, 3), nn.BatchNorm(64)),
        nn.GlobalAveragePool(),
        nn.Linear(rng, 64, 10),
    ]


def build_mobile(rng):
    """As MobileNet is made: depthwise and pointwise convolutions in turn, each with its normalization and its relu."""
    layers = [nn.Conv(rng, 1, 16, 3, stride=2), nn.BatchNorm(16), nn.Relu()]
    for inputs, outputs, stride in ((16, 32, 1), (32, 64, 2), (64, 64, 1)):
        layers += [nn.Conv(rng, inputs, inputs, 3, stride=stride, depthwise=True), nn.BatchNorm(inputs), nn.Relu(),
                   nn.Conv(rng, inputs, outputs, 1), nn.BatchNorm(outputs), nn.Relu()]
    return [*layers, nn.GlobalAveragePool(), nn.Linear(rng, 64, 10)]


NETWORKS = {"digits": build, "mobile": build_mobile}


def forward(model, x, train=False):
    for layer in model:
        x = layer.forward(x, train)
    return x


def augment(rng, x):
    """Shift each image by up to two pixels each way."""
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    out = np.empty_like(x)
    for i, (dy, dx) in enumerate(rng.integers(0, 5, (len(x), 2))):
        out[i] = padded[i, :, dy : dy + 20, dx : dx + 20]
    return out


def accuracy(model, x, y):
    return np.mean([np.argmax(forward(model, x[i : i + 200]), 1) == y[i : i + 200] for i in range(0, len(x), 200)])


def train(epochs):
    rng = np.random.default_rng(7)
    x, y, test_x, test_y = load(ARGS.images)
    model = NETWORKS[ARGS.network](rng)
    params = [p for layer in model for p in layer.params]
    momentum = [(np.zeros_like(v), np.zeros_like(v)) for v, _ in params]
    step, batch = 0, 50
    total = epochs * len(x) // batch
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch):
            pick = order[start : start + batch]
            logits = forward(model, augment(rng, x[pick]), train=True)
            p = np.exp(logits - logits.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            p[np.arange(batch), y[pick]] -= 1
            grad = p / batch
            for layer in reversed(model):
                grad = layer.backward(grad)
            step += 1
            rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * step / total))  # Adam, cosine decay
            for (value, g), (m, v) in zip(params, momentum, strict=True):
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                value -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        print(f"epoch {epoch + 1}/{epochs}: test accuracy {accuracy(model, test_x, test_y):.4f}", flush=True)
    return model, x, test_x, test_y


class Exporter:
    """Walks the layers and writes the ONNX nodes of each."""

    def __init__(self):
        self.nodes, self.inits, self.count = [], [], 0

    def const(self, array):
        name = f"w{len(self.inits)}"
        self.inits.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind, inputs, **attrs):
        self.count += 1
        out = f"{kind.lower()}_{self.count}"
        self.nodes.append(helper.make_node(kind, inputs, [out], name=out, **attrs))
        return out

    def layer(self, layer, x):
        if isinstance(layer, nn.Conv):
            p = layer.k // 2
            return self.op("Conv", [x, self.const(layer.w)], kernel_shape=[layer.k] * 2, strides=[layer.stride] * 2,
                           pads=[p] * 4, group=len(layer.w) if layer.depthwise else 1)
        if isinstance(layer, nn.BatchNorm):
            parts = [self.const(a) for a in (layer.gain, layer.bias, layer.mean, layer.var)]
            return self.op("BatchNormalization", [x, *parts], epsilon=layer.eps)
        if isinstance(layer, nn.Relu):
            return self.op("Relu", [x])
        if isinstance(layer, nn.MaxPool2):
            return self.op("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
        if isinstance(layer, nn.GlobalAveragePool):
            return self.op("Flatten", [self.op("GlobalAveragePool", [x])], axis=1)
        if isinstance(layer, nn.Residual):
            y = x
            for inner in layer.body:
                y = self.layer(inner, y)
            return self.op("Relu", [self.op("Add", [x, y])])
        return self.op("Gemm", [x, self.const(layer.w), self.const(layer.b)], transB=1)


def export(model, path):
    e = Exporter()
    x = "image"
    for layer in model:
        x = e.layer(layer, x)
    e.nodes[-1].output[0] = "logits"
    graph = helper.make_graph(
        e.nodes, "digits", [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 20, 20])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])], e.inits)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                              producer_name="qdialect")
    onnx.checker.check_model(proto)
    onnx.save(proto, path)


def main():
    model, x, test_x, test_y = train(ARGS.epochs)
    export(model, os.path.join(HERE, f"{ARGS.network}.onnx"))
    if ARGS.network != "digits":
        return
    quantized = np.round(test_x * 255).astype(np.uint8)
    np.savez_compressed(os.path.join(HERE, "test.npz"), image=quantized, label=test_y.astype(np.uint8))
    calibration = x[:: len(x) // 100][:100]
    np.savez_compressed(os.path.join(HERE, "calibration.npz"), image=calibration.astype(np.float32))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, default="digits")
    parser.add_argument("--images", default=DEFAULT_IMAGES)
    parser.add_argument("--epochs", type=int, default=12)
    ARGS = parser.parse_args()
    main()
