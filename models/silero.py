# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The voice detector of the PyPI package silero-vad, as it ships, and recorded speech as its input.

`silero`: one call a chunk of 512 samples: input [1, 576] (64 samples of the chunk before in front), state [2, 1, 128], sr
(which its control flow branches on); output [1, 1], stateN. `silero-sequence`: input [chunks, 576], h and c [1, 1, 128];
speech_probs [chunks], hn, cn, an LSTM over all chunks.
"""

import glob
import os
import shutil
import wave

import numpy as np

from models import packages

PACKAGE = "silero-vad==6.2.3"
FILES = {"silero": "silero_vad.onnx", "silero-sequence": "silero_vad_16k_sequence.onnx"}
RATE, CHUNK, CONTEXT = 16000, 512, 64
SPEECH = "/usr/share/pocketsphinx/test/data"


def build(name, path):
    shutil.copy(glob.glob(os.path.join(packages.wheel(PACKAGE), "**", FILES[name]), recursive=True)[0], path)


def samples(path):
    """A recording of 16 kHz as floats in [-1, 1)."""
    if path.endswith(".raw"):
        codes = np.fromfile(path, np.int16)
    else:
        with wave.open(path) as f:
            if (f.getframerate(), f.getnchannels(), f.getsampwidth()) != (RATE, 1, 2):
                raise ValueError(f"{path}: not 16 kHz, one channel, 16 bit")
            codes = np.frombuffer(f.readframes(f.getnframes()), np.int16)
    return codes.astype(np.float32) / 32768


def recordings():
    """The speech of Debian's pocketsphinx-testdata, by path."""
    paths = sorted(glob.glob(f"{SPEECH}/*.raw") + glob.glob(f"{SPEECH}/*/*.wav"))
    if not paths:
        raise FileNotFoundError(f"no recordings below {SPEECH}: install pocketsphinx-testdata")
    return paths


def chunks(speech):
    """The inputs of a recording, [chunks, 576], each with the end of the one before."""
    count = len(speech) // CHUNK
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), speech[:count * CHUNK]])
    return np.stack([padded[i * CHUNK:(i + 1) * CHUNK + CONTEXT] for i in range(count)])
