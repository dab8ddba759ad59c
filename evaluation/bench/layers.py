# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Single layers, or short chains of one, as ONNX models that every contestant reads.

`form` is "u8" (activations u8, weights s8 per channel, codes in and codes out as QuantizeLinear / DequantizeLinear), "s8"
(signed activations), "w4" (u8 with weights of 4 bits) or "f32". A chain repeats the layer with other weights, so that what
a call costs by itself fades.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {"u8": (TensorProto.UINT8, np.uint8, 120), "s8": (TensorProto.INT8, np.int8, -8),
         "w4": (TensorProto.UINT8, np.uint8, 120)}
SCALE = np.float32(0.02)  # of every activation


class Writer:
    """A graph of layers between codes, or of floats."""

    def __init__(self, form, shape):
        self.form, self.nodes, self.constants, self.shape = form, [], [], shape
        self.random, self.last, self.count = np.random.default_rng(1), "x", 0
        self.is_float = form == "f32"
        if not self.is_float:
            self.constants = [numpy_helper.from_array(SCALE, "s"),
                              numpy_helper.from_array(TYPES[form][1](TYPES[form][2]), "z")]

    def op(self, kind, inputs, **attributes):
        self.count += 1
        self.nodes.append(helper.make_node(kind, inputs, [f"v{self.count}"], **attributes))
        return f"v{self.count}"

    def constant(self, values):
        self.count += 1
        self.constants.append(numpy_helper.from_array(values, f"c{self.count}"))
        return f"c{self.count}"

    def real(self, name=None):
        """The value behind codes."""
        name = name or self.last
        return name if self.is_float else self.op("DequantizeLinear", [name, "s", "z"])

    def result(self, name, shape):
        """Ends a layer; the next one reads its codes."""
        self.last, self.shape = name if self.is_float else self.op("QuantizeLinear", [name, "s", "z"]), shape

    def weights(self, shape, axis, depth):
        """Weights that keep the spread of the activations."""
        most = 7 if self.form == "w4" else 127
        scales = self.random.uniform(0.5, 1, shape[axis]).astype(np.float32) * np.float32(np.sqrt(3 / depth) / most)
        codes = self.random.integers(-most, most + 1, shape)
        if self.is_float:
            return self.constant((codes * np.expand_dims(scales, [i for i in range(len(shape)) if i != axis]))
                                 .astype(np.float32))
        self.count += 1
        name = f"w{self.count}"
        kind = TensorProto.INT4 if self.form == "w4" else TensorProto.INT8
        self.constants.append(helper.make_tensor(name, kind, shape, codes.flatten().tolist()))
        return self.op("DequantizeLinear", [name, self.constant(scales)], axis=axis)

    def model(self, first, inputs=("x",)):
        kind = TensorProto.FLOAT if self.is_float else TYPES[self.form][0]
        graph = helper.make_graph(self.nodes, "layer",
                                  [helper.make_tensor_value_info(name, kind, first) for name in inputs],
                                  [helper.make_tensor_value_info(self.last, kind, self.shape)], self.constants)
        return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])


def sample(shape, form):
    """An input of a layer."""
    random = np.random.default_rng(0)
    if form == "f32":
        return random.standard_normal(shape).astype(np.float32)
    kind = TYPES[form][1]
    return random.integers(np.iinfo(kind).min, np.iinfo(kind).max + 1, shape).astype(kind)


@dataclass(frozen=True)
class Product:
    """Rows times a matrix; in a chain every second one goes back to the first depth."""
    rows: int
    depth: int
    channels: int
    chain: int = 1

    @property
    def name(self):
        return f"{self.rows}x{self.depth}x{self.channels}"

    @property
    def shape(self):
        return (self.rows, self.depth)

    @property
    def macs(self):
        return self.chain * self.rows * self.depth * self.channels

    @property
    def weights(self):
        return self.chain * self.depth * self.channels

    def model(self, form):
        writer, widths = Writer(form, self.shape), (self.depth, self.channels)
        for i in range(self.chain):
            depth, channels = widths[i % 2], widths[1 - i % 2]
            y = writer.op("MatMul", [writer.real(), writer.weights((depth, channels), 1, depth)])
            writer.result(y, (self.rows, channels))
        return writer.model(self.shape)


@dataclass(frozen=True)
class Convolution:
    """A square image, "same" borders; a chain needs as many outputs as channels, or goes there and back."""
    size: int
    channels: int
    outputs: int
    kernel: int
    stride: int = 1
    groups: int = 1
    chain: int = 1

    @property
    def name(self):
        kind = "depthwise" if self.groups > 1 else "conv"
        channels = str(self.channels) if self.groups > 1 else f"{self.channels}-{self.outputs}"
        return f"{kind} {self.kernel}x{self.kernel}{f'/{self.stride}' if self.stride > 1 else ''} {channels}@{self.size}"

    @property
    def shape(self):
        return (1, self.channels, self.size, self.size)

    @property
    def out(self):
        return (self.size + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1

    @property
    def macs(self):
        return self.chain * self.out**2 * self.kernel**2 * self.channels * self.outputs // self.groups

    @property
    def weights(self):
        return self.chain * self.kernel**2 * self.channels * self.outputs // self.groups

    def model(self, form):
        writer, widths, size = Writer(form, self.shape), (self.channels, self.outputs), self.size
        for i in range(self.chain):
            channels, outputs = widths[i % 2], widths[1 - i % 2]
            shape = (outputs, channels // self.groups, self.kernel, self.kernel)
            weights = writer.weights(shape, 0, int(np.prod(shape[1:])))
            y = writer.op("Conv", [writer.real(), weights], pads=[self.kernel // 2] * 4, strides=[self.stride] * 2,
                          group=self.groups)
            size = (size + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1
            writer.result(y, (1, outputs, size, size))
        return writer.model(self.shape)


@dataclass(frozen=True)
class Elements:
    """One operator without weights, codes in and codes out or floats; `bytes` are what it must read and write once."""
    operator: str
    shape: tuple

    @property
    def name(self):
        return f"{self.operator} {'x'.join(map(str, self.shape))}"

    @property
    def inputs(self):
        return ("x", "other") if self.operator == "Add" else ("x",)

    def bytes(self, form):
        return (len(self.inputs) + 1) * int(np.prod(self.shape)) * (4 if form == "f32" else 1)

    def model(self, form):
        writer = Writer(form, self.shape)
        x = writer.real()
        if self.operator == "Add":
            y = writer.op("Add", [x, writer.real("other")])
        elif self.operator == "LayerNormalization":
            width = self.shape[-1]
            scale = writer.constant(writer.random.uniform(0.5, 1.5, width).astype(np.float32))
            y = writer.op(self.operator, [x, scale, writer.constant(np.zeros(width, np.float32))], axis=-1)
        elif self.operator == "SiLU":
            y = writer.op("Mul", [x, writer.op("Sigmoid", [x])])
        else:
            y = writer.op(self.operator, [x])
        writer.result(y, self.shape)
        return writer.model(self.shape, self.inputs)


@dataclass(frozen=True)
class NBits:
    """MatMulNBits of 4 bits with int8 activations (accuracy_level 4)."""
    rows: int
    depth: int
    channels: int
    block: int

    @property
    def name(self):
        return f"{self.rows}x{self.depth}x{self.channels} g{self.block}"

    @property
    def shape(self):
        return (self.rows, self.depth)

    @property
    def macs(self):
        return self.rows * self.depth * self.channels

    @property
    def weight_bytes(self):
        return self.depth * self.channels // 2 + self.depth * self.channels // self.block * 4

    def model(self, _):
        random, blocks = np.random.default_rng(self.block), self.depth // self.block
        codes = random.integers(0, 256, (self.channels, blocks, self.block // 2), np.uint8)
        scales = random.uniform(0.001, 0.01, (self.channels, blocks)).astype(np.float32)
        node = helper.make_node("MatMulNBits", ["x", "b", "s"], ["y"], domain="com.microsoft", K=self.depth,
                                N=self.channels, bits=4, block_size=self.block, accuracy_level=4)
        graph = helper.make_graph(
            [node], "layer", [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (self.rows, self.channels))],
            [numpy_helper.from_array(codes, "b"), numpy_helper.from_array(scales, "s")])
        return helper.make_model(graph, ir_version=10, opset_imports=[
            helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)])
