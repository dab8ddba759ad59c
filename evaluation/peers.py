# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX Runtime as float reference and as int8 peer, NNCF with OpenVINO as another, at their best settings here."""

import os
import subprocess
import sys

import numpy as np
import onnxruntime as ort
from onnxruntime import quantization as q


def session(path, threads=1, optimize=True, integers=False):
    """`integers`: int8 activations in integer kernels, too. On x86 ONNX Runtime computes QDQ layers of s8 activations in
    floats unless it is asked."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if integers:
        options.add_session_config_entry("session.qdqisint8allowed", "1")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


# Run by run_elsewhere, in an interpreter that is emulated.
_ELSEWHERE = """
import sys
import numpy as np
from evaluation import peers
session = peers.session(sys.argv[1])
feeds = np.load(sys.argv[2])
rows = [dict(zip(feeds.files, values)) for values in zip(*(feeds[name] for name in feeds.files))]
np.save(sys.argv[3], np.concatenate([session.run(None, row)[0] for row in rows]))
"""


def run_elsewhere(tools, path, feeds, cpu="Haswell"):
    """The first output for each feed as ONNX Runtime computes it on another CPU (one that qemu emulates), stacked."""
    given, found = tools.path("elsewhere.npz"), tools.path("elsewhere.npy")
    np.savez(given, **{name: np.stack([feed[name] for feed in feeds]) for name in feeds[0]})
    subprocess.run(["qemu-x86_64", "-cpu", cpu, sys.executable, "-c", _ELSEWHERE, path, given, found], check=True,
                   stderr=subprocess.DEVNULL)
    return np.load(found)


def run_all(path, name, samples, threads=2):
    """The first output for each sample, stacked."""
    s = session(path, threads)
    return np.concatenate([s.run(None, {name: x[None]})[0] for x in samples])


class _Reader(q.CalibrationDataReader):
    def __init__(self, name, samples):
        self.name, self.samples = name, iter(samples)

    def get_next(self):
        x = next(self.samples, None)
        return None if x is None else {self.name: x[None]}


def quantize_static(path, name, samples, output, activation="u8"):
    """ONNX Runtime's static int8: QDQ, per-channel s8 weights, u8 asymmetric (or s8) activations, MinMax."""
    if os.path.exists(output):
        return output
    prepared = output + ".prepared.onnx"
    q.quant_pre_process(path, prepared, skip_symbolic_shape=True)
    kind = q.QuantType.QUInt8 if activation == "u8" else q.QuantType.QInt8
    q.quantize_static(prepared, output + ".part", _Reader(name, samples), quant_format=q.QuantFormat.QDQ,
                      per_channel=True, activation_type=kind, weight_type=q.QuantType.QInt8,
                      calibrate_method=q.CalibrationMethod.MinMax,
                      extra_options={"ActivationSymmetric": activation == "s8"})
    os.replace(output + ".part", output)
    os.remove(prepared)
    return output


def nncf_outputs(path, samples, inputs):
    """The first output of OpenVINO's model that NNCF quantized with its defaults for convolutional networks (int8 weights
    per channel, symmetric activations with asymmetric ones where needed, fast bias correction), for each input."""
    import logging

    import nncf
    import openvino as ov

    logging.getLogger("nncf").setLevel(logging.ERROR)
    core = ov.Core()
    quantized = nncf.quantize(core.read_model(path), nncf.Dataset(list(samples), lambda x: x[None]),
                              preset=nncf.QuantizationPreset.MIXED, subset_size=len(samples))
    compiled = core.compile_model(quantized, "CPU")
    return np.concatenate([compiled(x[None])[0] for x in inputs])


def quantize_dynamic(path, output):
    """ONNX Runtime's dynamic int8: per-channel s8 weights, ranges of activations found at run time."""
    if not os.path.exists(output):
        q.quantize_dynamic(path, output + ".part", weight_type=q.QuantType.QInt8, per_channel=True)
        os.replace(output + ".part", output)
    return output
