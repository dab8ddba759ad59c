# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The file-type classifier of the PyPI package magika, as it ships, and files of this machine as its inputs.

Input `bytes` int32 [n, 2048]: the first and the last 1024 bytes of a file without the white space around them, 256 where
there are none; output `target_label` [n, 214].
"""

import glob
import os
import shutil

import numpy as np

from models import packages

PACKAGE = "magika==1.0.3"
HALF, PADDING = 1024, 256


def build(path):
    shutil.copy(glob.glob(os.path.join(packages.wheel(PACKAGE), "**", "model.onnx"), recursive=True)[0], path)


def features(path):
    """The input of one file, as the package computes it."""
    size = os.path.getsize(path)
    with open(path, "rb") as f:
        head = f.read(4 * HALF).lstrip()[:HALF]
        f.seek(max(0, size - 4 * HALF))
        tail = f.read().rstrip()[-HALF:]
    row = np.full(2 * HALF, PADDING, np.int32)
    row[:len(head)] = list(head)
    row[2 * HALF - len(tail):] = list(tail)
    return row


def files(count, seed=0, root="/usr"):
    """Regular files of at least 64 bytes, drawn with at most `count` / 20 of one suffix."""
    paths = []
    for folder, _, names in os.walk(root):
        paths += [os.path.join(folder, n) for n in names]
    paths.sort()
    np.random.default_rng(seed).shuffle(paths)
    seen, chosen = {}, []
    for path in paths:
        suffix = os.path.splitext(path)[1]
        if os.path.islink(path) or not os.path.isfile(path) or seen.get(suffix, 0) >= max(1, count // 20):
            continue
        if os.path.getsize(path) < 64:
            continue
        seen[suffix] = seen.get(suffix, 0) + 1
        chosen.append(path)
        if len(chosen) == count:
            break
    return chosen


def inputs(paths):
    return np.stack([features(p) for p in paths])
