# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs of program-branches.mlir, its definition in numpy, and the comparison of what was computed with it."""

import re
import sys

import numpy as np

folder = sys.argv[1]
if len(sys.argv) == 2:
    random = np.random.default_rng(1)
    x = random.normal(size=(6, 3, 1, 8)).astype(np.float32)
    np.savez(f"{folder}/data.npz", x=x, which=np.array([0, 1, 2, 2, 1, 0]))
    np.savez(f"{folder}/one-side.npz", x=x, which=np.zeros(6, np.int64))
    np.save(f"{folder}/x.npy", x[0])
    for which in range(3):
        np.save(f"{folder}/{which}.npy", np.array(which))
else:
    tolerance, allowed = float(sys.argv[2]), float(sys.argv[3])
    text = open(__file__.replace("Inputs/program_branches.py", "program-branches.mlir"), encoding="utf-8").read()
    numbers = re.search(r"dense<\[(.*?)\]>", text, re.S)[1].translate({91: 32, 93: 32})
    weights = np.array(numbers.split(","), float).reshape(8, 8)
    x = np.load(f"{folder}/x.npy")
    for which in range(3):
        chosen = x[0] @ weights
        same = x[0]
        if which == 2:
            for _ in range(3):
                chosen = np.tanh(chosen @ weights)
        elif which == 0:
            same = chosen = chosen @ weights
        y = chosen @ weights
        rows = x @ weights if which == 2 else np.stack([y] * 3)
        for name, wanted in (("y", y), ("same", same), ("rows", rows)):
            compiled, interpreted = (np.load(f"{folder}/{kind}/{which}/{name}.npy") for kind in ("so", "interpreted"))
            difference = np.abs(compiled - interpreted).max()
            assert difference <= tolerance, f"{name} of {which}: {difference} from the interpreter"
            off = np.abs(interpreted - wanted).max()
            assert off <= allowed, f"{name} of {which}: {off} from the definition"
