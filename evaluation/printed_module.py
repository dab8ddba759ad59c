# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The ops with proven bounds of a module that `q-compile --stop-after=integerize` printed, and the constants they read."""

import re

import numpy as np

DTYPES = {"i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64}
# An alignment of four bytes stands in front of a blob.
BLOB = re.compile(r'^\s*(\w+): "(?:(/.+)@(\d+)\+(\d+)#.*|0x[0-9A-F]{8}([0-9A-F]+))"', re.M)
CONSTANT = re.compile(r"(%\S+) = arith\.constant .*dense(_resource)?<(.*)> : tensor<([0-9x]*)(i\d+)>")
SCALAR = re.compile(r"(%\S+) = arith\.constant (-?\d+) : \w+")
MAP = re.compile(r"^(#\S+) = affine_map<\(.*\) -> \((.*)\)>", re.M)
COPY = re.compile(r"(%\S+) = linalg\.(?:generic|fill) .*ins\((%\S+) : .*outs\(")
BOUND = re.compile(r"qd\.acc_bound = array<i64: (-?\d+), (-?\d+)>")
TENSOR = re.compile(r"tensor<((?:\d+x)*)(\w+)>")


def tensor_type(text):
    """(shape, element type)"""
    m = TENSOR.fullmatch(text)
    return tuple(int(n) for n in m[1].split("x") if n), m[2]


class BoundedOp:
    """One op: what it is, its operands by name with their types, and the lines of its region."""

    def __init__(self, module, head, body):
        self.module, self.body = module, body
        self.bound = tuple(int(end) for end in BOUND.search(head).groups())
        self.kind = re.search(r"= (\S+)", head)[1]
        ins, types, self.init, result = re.search(r"ins\((.*?) : (.*?)\) outs\((%\S+) : (.*?)\)", head).groups()
        self.operands = list(zip(ins.split(", "), map(tensor_type, types.split(", ")), strict=True))
        self.result = tensor_type(result)
        name = re.search(r'qd\.name = "([^"]*)"', head)
        self.name = name[1] if name else self.kind
        macs = re.search(r"qd\.macs = (\d+)", head)
        self.macs = int(macs[1]) if macs else 0
        maps = re.search(r"indexing_maps = \[(.*?)\]", head)
        self.maps = [module.maps[m] for m in maps[1].split(", ")] if maps else []
        self.is_elementwise = self.kind == "linalg.generic" and "reduction" not in head

    def start(self):
        """What sums start from: a number, or one for each channel."""
        return self.module.values.get(self.module.copies.get(self.init), 0)


class Module:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            self.text = f.read()
        self.blobs = {m[1]: m for m in BLOB.finditer(self.text)}
        self.maps = {m[1]: [dim for dim in m[2].split(", ") if dim] for m in MAP.finditer(self.text)}
        self.values, self.copies = {}, {}

    def blob(self, name, dtype):
        m = self.blobs[name]
        if m[5]:
            return np.frombuffer(bytes.fromhex(m[5]), dtype)
        return np.fromfile(m[2], dtype, int(m[4]) // np.dtype(dtype).itemsize, offset=int(m[3]))

    def constant(self, m):
        shape, dtype = [int(n) for n in m[4].split("x") if n], DTYPES[m[5]]
        if m[2]:
            values = self.blob(m[3], dtype)
        elif m[3].startswith('"0x'):
            values = np.frombuffer(bytes.fromhex(m[3][3:-1]), dtype)
        else:
            values = np.array([int(n) for n in re.findall(r"-?\d+", m[3])], dtype)
        values = values.astype(np.int64)
        return np.broadcast_to(values.reshape(()), shape) if values.size == 1 else values.reshape(shape)

    def bounded(self):
        """Every op with a bound, in the order of the program, when all that it reads is in `values`."""
        lines = self.text.splitlines()
        for i, line in enumerate(lines):
            if m := CONSTANT.search(line):
                self.values[m[1]] = self.constant(m)
            elif m := SCALAR.search(line):
                self.values[m[1]] = int(m[2])
            elif BOUND.search(line):
                end = next(j for j in range(i, len(lines)) if " -> tensor<" in lines[j] or "linalg.yield" in lines[j])
                yield BoundedOp(self, line, lines[i + 1:end])
            elif m := COPY.search(line):
                self.copies[m[1]] = m[2]
