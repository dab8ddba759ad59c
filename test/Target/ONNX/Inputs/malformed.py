#!/usr/bin/env python3
# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Broken and hostile models, one a function; each is imported and what q-translate says is printed.

    malformed.py WORK_FOLDER

The functions return the bytes of model.onnx. Import/malformed.test has the exact messages.
"""

import os
import sys

import numpy as np
from import_models import run_case
from onnx import TensorProto, helper, numpy_helper


def model(nodes, inits=(), inputs=("x",), outputs=("y",), shape=(2, 2)):
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [value(n) for n in inputs], [value(n) for n in outputs], list(inits))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def weights(dims=(2, 2), raw=bytes(16), dtype=TensorProto.FLOAT):
    tensor = TensorProto(name="w", data_type=dtype, dims=dims)
    if raw is not None:
        tensor.raw_data = raw
    return tensor


def add(tensor):
    return model([helper.make_node("Add", ["x", "w"], ["y"], name="add")], [tensor]).SerializeToString()


def external(**entries):
    tensor = weights(raw=None)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return add(tensor)


def empty_file():
    return b""


def not_a_model():
    return b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def truncated():
    return add(weights())[:-20]


def claims_too_much():
    # A graph (field 7) of 2^62 bytes.
    return b"\x3a\x80\x80\x80\x80\x80\x80\x80\x80\x40abc"


def endless_number():
    return b"\x08" + b"\xff" * 11


def nested_too_deeply():
    # graph -> node -> attribute -> graph -> ...
    body = b""
    fields = [0x3A] + [0x0A, 0x2A, 0x32] * 60
    for field in reversed(fields):
        length, digits = len(body), b""
        while True:
            digits += bytes([(length & 0x7F) | (0x80 if length > 0x7F else 0)])
            length >>= 7
            if not length:
                break
        body = bytes([field]) + digits + body
    return body


def no_graph():
    return helper.make_model(helper.make_graph([], "g", [], []), opset_imports=[]).SerializeToString()


def raw_data_too_short():
    return add(weights(raw=bytes(12)))


def typed_data_too_short():
    tensor = weights(raw=None)
    tensor.float_data.extend([1.0, 2.0])
    return add(tensor)


def huge_dimensions():
    return add(weights(dims=(1 << 32, 1 << 32)))


def hidden_huge_dimensions():
    return add(weights(dims=(0, 1 << 62), raw=b""))


def negative_dimension():
    return add(weights(dims=(-2, 2)))


def strings():
    return add(weights(dtype=TensorProto.STRING))


def no_such_type():
    return add(weights(dtype=77))


def external_missing():
    return external(location="nowhere.bin")


def external_climbs():
    return external(location="../../etc/passwd")


def external_absolute():
    return external(location="/etc/passwd")


def external_no_location():
    return external(offset="0")


def external_beyond_the_end():
    return external(location="data.bin", offset="8", length="16")


def external_offset_beyond():
    return external(location="data.bin", offset="18446744073709551615", length="16")


def external_wrong_length():
    return external(location="data.bin", offset="0", length="8")


def external_bad_number():
    return external(location="data.bin", offset="-1")


def external_good():
    return external(location="data.bin", offset="0")


def cyclic():
    nodes = [
        helper.make_node("Add", ["x", "b"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="second"),
    ]
    return model(nodes, outputs=["a"]).SerializeToString()


def undefined_input():
    return model([helper.make_node("Add", ["x", "ghost"], ["y"], name="add")]).SerializeToString()


def duplicate_output():
    nodes = [helper.make_node("Relu", ["x"], ["y"], name=n) for n in ("one", "two")]
    return model(nodes).SerializeToString()


def duplicate_initializer():
    return model([helper.make_node("Relu", ["x"], ["y"])], [weights(), weights()]).SerializeToString()


def undefined_output():
    return model([helper.make_node("Relu", ["x"], ["z"])]).SerializeToString()


def negative_input_dimension():
    return model([helper.make_node("Relu", ["x"], ["y"])], shape=(-3, 2)).SerializeToString()


def huge_input():
    return model([helper.make_node("Relu", ["x"], ["y"])], shape=(1 << 40, 1 << 40)).SerializeToString()


def huge_kernel():
    node = helper.make_node("MaxPool", ["x"], ["y"], name="p", kernel_shape=[1 << 62, 1])
    return model([node], shape=(1, 1, 4, 4)).SerializeToString()


def huge_pads():
    node = helper.make_node("Pad", ["x", "p"], ["y"], name="pad")
    pads = numpy_helper.from_array(np.array([1 << 31] * 4, np.int64), "p")
    return model([node], [pads]).SerializeToString()


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "data.bin"), "wb") as file:
        file.write(np.arange(5, dtype=np.float32).tobytes())
    skipped = {"model", "weights", "add", "external", "main", "run_case"}
    for name, function in list(globals().items()):
        if callable(function) and getattr(function, "__module__", "") == "__main__" and name not in skipped:
            run_case(name, [], function(), folder)


if __name__ == "__main__":
    main()
