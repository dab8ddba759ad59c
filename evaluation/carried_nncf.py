# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that OpenVINO's NNCF quantized as ONNX: int8 by its defaults, and MiniLM with 4-bit weights.

NNCF writes QDQ: weights as codes per channel, BatchNormalization and biases left beside them in floats.
"""

import logging

import numpy as np
import onnx

from evaluation import minilm as encoder


def is_there():
    """NNCF is a peer that scripts/install-deps --bench installs."""
    try:
        import nncf

        logging.getLogger("nncf").setLevel(logging.ERROR)
        return bool(nncf)
    except ImportError:
        return False


def quantize(tools, name, model, feeds, **options):
    import nncf

    path = tools.path(f"{name}-nncf.onnx")
    feeds = list(feeds)
    onnx.save(nncf.quantize(onnx.load(model), nncf.Dataset(feeds), subset_size=len(feeds), **options), path)
    return path


def image_cases(tools, name, model, calibration):
    import nncf

    feeds = [{"image": np.asarray(x)[None]} for x in calibration]
    yield f"{name} NNCF QDQ", quantize(tools, name, model, feeds, preset=nncf.QuantizationPreset.MIXED)


def minilm_cases(tools, model, calibration):
    import nncf

    feeds = [{key: value.astype(np.int64) for key, value in row.items()} for row in encoder.rows(calibration)]
    path = quantize(tools, "minilm", model, feeds, model_type=nncf.ModelType.TRANSFORMER)
    yield "minilm NNCF QDQ", path
    path = tools.path("minilm-nncf-4bit.onnx")
    restated = onnx.load(model)
    restated.opset_import[0].version = 21  # the first with 4-bit tensors
    mode = nncf.CompressWeightsMode.INT4_ASYM
    # Without all_layers: NNCF 3.4 writes the blocks of embedding tables along the wrong axis.
    onnx.save(nncf.compress_weights(restated, mode=mode, group_size=32, ratio=1.0), path)
    yield "minilm NNCF 4-bit weights", path
