# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Natural photographs as 224 x 224 crops, for calibration and for agreement with the float model.

The photographs come from Debian's opencv-doc (scripts/install-deps --data) and the scikit-image wheel. The photographs
that calibrate and those that evaluate are disjoint; crops and flips are drawn with a fixed seed.
"""

import os

import numpy as np
from PIL import Image

from models import packages

OPENCV = "/usr/share/doc/opencv-doc/examples/data"
CALIBRATION = ["aloeL.jpg", "baboon.jpg", "basketball1.png", "building.jpg", "fruits.jpg", "home.jpg", "leuvenA.jpg",
               "rubberwhale1.png", "coffee.png", "rocket.jpg"]
EVALUATION = ["HappyFish.jpg", "aero1.jpg", "apple.jpg", "board.jpg", "box_in_scene.png", "butterfly.jpg", "cards.png",
              "chicky_512.png", "ela_original.jpg", "graf1.png", "left.jpg", "messi5.jpg", "orange.jpg",
              "smarties.png", "squirrel_cls.jpg", "stuff.jpg", "astronaut.png", "chelsea.png", "motorcycle_left.png"]
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


def find(name):
    for folder in (OPENCV, os.path.join(packages.wheel("scikit-image==0.25.2"), "skimage", "data")):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    raise FileNotFoundError(f"{name}: not in {OPENCV} nor in the scikit-image wheel; run scripts/install-deps --data")


def crops(names, count, seed):
    """[count, 3, 224, 224] float32, normalised as ImageNet models want; the photographs take turns."""
    rng = np.random.default_rng(seed)
    images = [Image.open(find(name)).convert("RGB") for name in names]
    out = np.empty((count, 3, 224, 224), np.float32)
    for i in range(count):
        image = images[i % len(images)]
        side = int(min(image.size) * rng.uniform(0.5, 1.0))
        x = int(rng.integers(0, image.width - side + 1))
        y = int(rng.integers(0, image.height - side + 1))
        crop = image.resize((224, 224), Image.BICUBIC, box=(x, y, x + side, y + side))
        pixels = (np.asarray(crop, np.float32) / 255 - MEAN) / STD
        if rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        out[i] = pixels.transpose(2, 0, 1)
    return out


def calibration(count=64):
    return crops(CALIBRATION, count, seed=1)


def evaluation(count=512):
    return crops(EVALUATION, count, seed=2)
