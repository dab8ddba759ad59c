# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The int8 forms of the benchmark's models, each by its peer's tools at their best settings; made once into .cache/models.

ONNX Runtime: static (MinMax, u8 activations, s8 weights per channel) as QDQ and as QOperator; in models of tokens and bytes
only products and convolutions, and a dynamic form too. OpenVINO: NNCF's post-training quantization, and ONNX Runtime's QDQ
file, which it runs faster than its own in some models.
"""

import logging
import os

import numpy as np
import onnx
from onnxruntime import quantization as q

from evaluation import peers
from evaluation.bench.worker import count, rows
from models import build, magika, minilm, packages, photographs

IMAGE_SHAPE = (3, 224, 224)
HELD_OUT = 32


class Reader(q.CalibrationDataReader):
    def __init__(self, samples):
        self.rows = rows(samples)

    def get_next(self):
        return next(self.rows, None)


def flatten_biases(path):
    """ONNX Runtime's tool stumbles over a Gemm's bias of shape [1, n], which its own preparation makes."""
    model = onnx.load(path)
    biases = {node.input[2] for node in model.graph.node if node.op_type == "Gemm" and len(node.input) > 2}
    for constant in model.graph.initializer:
        if constant.name in biases and len(constant.dims) == 2 and constant.dims[0] == 1:
            del constant.dims[0]
    onnx.save(model, path)


class Model:
    """One model: its float ONNX, samples that calibrate it, others that judge it, and how it is compiled."""

    def __init__(self, name, goal):
        self.name, self.goal, self.float = name, goal, build.cached(name)
        self.is_image = name not in ("minilm", "magika")
        self.flags = ("--dim", "unk__214=1") if name == "magika" else ()

    def samples(self, count):
        """{input: array} of calibration, and of judging."""
        if self.name == "minilm":
            texts = minilm.sentences()
            both = minilm.encode_full(texts[:4 * count]), minilm.encode(texts[-HELD_OUT:])
        elif self.name == "magika":
            files = magika.files(count + HELD_OUT)
            both = {"bytes": magika.inputs(files[:count])}, {"bytes": magika.inputs(files[count:])}
        elif self.name == "efficientnet-lite0":
            both = {"image": photographs.calibration(count)}, {"image": photographs.evaluation(HELD_OUT)}
        else:
            noise = np.random.default_rng(3).standard_normal((count + HELD_OUT, *IMAGE_SHAPE), np.float32)
            both = {"image": noise[:count]}, {"image": noise[count:]}
        return {key: values[:count] for key, values in both[0].items()}, both[1]

    def path(self, suffix):
        return os.path.join(packages.CACHE, "models", f"{self.name}.{suffix}")

    def forms(self, samples):
        """{contestant: (kind, path)} of the peers' int8."""
        made = {f"ORT {form}": ("ort", self.static(form, samples)) for form in ("QDQ", "QOperator")}
        if not self.is_image:
            dynamic = peers.quantize_dynamic(self.float, self.path("bench-dynamic.onnx"))
            made["ORT dynamic"] = ("ort", dynamic)
        made["OpenVINO NNCF"] = ("openvino", self.nncf(samples))
        made["OpenVINO of ORT QDQ"] = ("openvino", made["ORT QDQ"][1])
        return made

    def static(self, form, samples):
        path = self.path(f"bench-{form}-{count(samples)}.onnx")
        if os.path.exists(path):
            return path
        prepared = path + ".prepared"
        q.quant_pre_process(self.float, prepared, skip_symbolic_shape=True)
        flatten_biases(prepared)
        q.quantize_static(prepared, path + ".part", Reader(samples), quant_format=q.QuantFormat[form], per_channel=True,
                          op_types_to_quantize=None if self.is_image else ["Conv", "MatMul", "Gemm"],
                          activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8)
        os.remove(prepared)
        os.replace(path + ".part", path)
        return path

    def nncf(self, samples):
        path = self.path(f"bench-nncf-{count(samples)}.xml")
        if os.path.exists(path):
            return path
        import nncf
        import openvino as ov

        logging.getLogger("nncf").setLevel(logging.ERROR)
        core, feeds = ov.Core(), list(rows(samples))
        options = {"model_type": nncf.ModelType.TRANSFORMER} if self.name == "minilm" else {}
        model = core.read_model(self.float)
        if self.name == "magika":
            model.reshape({"bytes": [1, 2 * magika.HALF]})
        ov.save_model(nncf.quantize(model, nncf.Dataset(feeds), subset_size=len(feeds), **options), path,
                      compress_to_fp16=False)
        return path
