# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Float models in half precision, and float models with the weights of such a model.

float16 as ONNX Runtime's converter (onnxconverter-common's) writes it, Casts and all; bfloat16 by renaming types alone.
"""

import os

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper


def save(model, path):
    temporary = f"{path}.{os.getpid()}.tmp"
    onnx.save(model, temporary)
    os.replace(temporary, path)
    return path


def to_float16(source, path, keep_io=True):
    """`keep_io`: inputs and outputs stay float32, behind a Cast each."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return save(convert_float_to_float16(onnx.load(source), keep_io_types=keep_io), path)


def bfloat16_bits(values):
    """The upper halves of float32 numbers, rounded to nearest even."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def to_bfloat16(source, path):
    """Every float32 of the model is a bfloat16, inputs and outputs too."""
    model = onnx.load(source)
    for i, tensor in enumerate(model.graph.initializer):
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor)
            model.graph.initializer[i].CopyFrom(onnx.helper.make_tensor(
                tensor.name, TensorProto.BFLOAT16, values.shape, bfloat16_bits(values).tobytes(), raw=True))
    for value in [*model.graph.input, *model.graph.output]:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.BFLOAT16
    del model.graph.value_info[:]
    return save(model, path)


def with_weights_of(half, source, path):
    """The float32 model `source` with the weights of `half`, its conversion: what a compiler must make of `half`."""
    weights = {t.name: t for t in onnx.load(half).graph.initializer}
    model = onnx.load(source)
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or tensor.name not in weights:
            continue
        stored = weights[tensor.name]
        if stored.data_type == TensorProto.BFLOAT16:
            bits = np.frombuffer(stored.raw_data, np.uint16).astype(np.uint32) << 16
            values = bits.view(np.float32).reshape(tuple(stored.dims))
        else:
            values = numpy_helper.to_array(stored).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))
    return save(model, path)
