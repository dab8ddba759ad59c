# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What element-wise ops compute from codes before they round it: every payload, line by line, for many codes at once."""

import re

import numpy as np

LINE = re.compile(r"(%\S+) = ([\w.]+) (.*)")
ROUNDINGS = {"qd.rescale", "qd.requantize", "qd.quantize"}
ARITHMETIC = {"arith.addi": np.add, "arith.subi": np.subtract, "arith.muli": np.multiply}


def bits(low, high):
    """Of the smallest two's complement register that holds both."""
    return 1 + max(int(high).bit_length(), int(~low if low < 0 else low).bit_length())


class Payload:
    """Of an op whose operands are constants, which vary along some dimensions, and tensors of codes."""

    def __init__(self, op):
        self.op = op
        self.dims = sorted({dim for (name, _), dims in zip(op.operands, op.maps, strict=False)
                            if name in op.module.values for dim in dims})
        self.arguments = re.findall(r"(%\S+): \w+", op.body[0])
        self.lines = [LINE.match(line.strip()).groups() for line in op.body[1:] if LINE.match(line.strip())]
        self.codes = []  # (name, bits) of what is read from tensors of codes
        for (name, (_, element)), argument in zip(op.operands, self.arguments, strict=False):
            if name not in op.module.values and element != "i64":
                self.codes.append((argument, int(element[1:])))
        for name, kind, text in self.lines:
            if kind == "tensor.extract":
                self.codes.append((name, int(re.search(r"i(\d+)>$", text)[1])))

    def constants(self):
        """Values of the block's arguments, over one axis of trials and one for each dimension that constants vary in."""
        values = {}
        for (name, (shape, _)), dims, argument in zip(self.op.operands, self.op.maps, self.arguments, strict=False):
            if name in self.op.module.values:
                array = self.op.module.values[name]
                order = np.argsort([self.dims.index(dim) for dim in dims])
                full = [1] * (len(self.dims) + 1)
                for dim, size in zip(dims, shape, strict=True):
                    full[self.dims.index(dim) + 1] = size
                values[argument] = np.transpose(array, order).reshape(full)
        return values

    def evaluate(self, codes):
        """The numbers that the first rounding reads, by `codes`: a row of trials for each of `self.codes`."""
        values = self.constants()
        column = (-1, *[1] * len(self.dims))
        values |= {name: row.reshape(column) for (name, _), row in zip(self.codes, codes, strict=True)}
        for name, kind, text in self.lines:
            if name in values or kind in ("linalg.index", "arith.index_cast"):
                continue
            operands = re.findall(r"%[\w-]+", text)
            if kind in ROUNDINGS:
                return values[operands[0]]
            if kind == "arith.constant":
                values[name] = np.int64(re.match(r"-?\d+", text)[0])
            elif kind == "arith.extsi":
                values[name] = values[operands[0]]
            elif kind in ARITHMETIC:
                a, b = (values.get(o, self.op.module.values.get(o)) for o in operands)
                values[name] = ARITHMETIC[kind](a, b)
                width = int(re.search(r": i(\d+)$", text)[1])
                if bits(values[name].min(), values[name].max()) > width:
                    raise OverflowError(f"{self.op.name}: {name} does not fit {width} bits")
            else:
                raise NotImplementedError(f"{self.op.name}: {kind}")
        raise ValueError(f"{self.op.name}: nothing is rounded")
