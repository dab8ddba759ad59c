# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The contestants of scripts/bench: for each kind a function that loads a model and returns its call, with the settings
that its makers name best."""

import numpy as np

from evaluation import peers, tools

assert tools.ROOT  # importing it puts the project's Python package on the path


def qdialect(path, threads):
    from qdialect import Model

    model = Model(path, threads=threads)
    return lambda feed: next(iter(model.run(**feed).values()))


def onnxruntime(path, threads):
    session = peers.session(path, threads)
    return lambda feed: session.run(None, feed)[0]


def openvino(path, threads, float_precision=None):
    import openvino as ov

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    if float_precision:
        settings["INFERENCE_PRECISION_HINT"] = float_precision
    compiled = ov.Core().compile_model(path, "CPU", settings)
    request = compiled.create_infer_request()
    return lambda feed: request.infer(feed, share_inputs=True, share_outputs=True)[0]


def openvino_f32(path, threads):
    """Without this hint machines with bf16 instructions round every product of a float model to bf16."""
    return openvino(path, threads, "f32")


KINDS = {"qdialect": qdialect, "ort": onnxruntime, "openvino": openvino, "openvino-f32": openvino_f32}


def load(kind, path, threads):
    """A function from {input: array} to the first output."""
    call = KINDS[kind](path, threads)
    return lambda feed: np.asarray(call(feed))
