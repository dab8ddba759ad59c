# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs of program-loops.mlir, its definition in numpy, and the comparison of what was computed with it."""

import re
import sys

import numpy as np

folder = sys.argv[1]
if len(sys.argv) == 2:
    random = np.random.default_rng(1)
    x = random.normal(size=(6, 5, 1, 8)).astype(np.float32)
    h = random.normal(size=(6, 1, 8)).astype(np.float32)
    np.savez(f"{folder}/data.npz", x=x, h=h)
    np.save(f"{folder}/x.npy", x[0])
    np.save(f"{folder}/h.npy", h[0])
else:
    tolerance = float(sys.argv[3])
    text = open(__file__.replace("Inputs/program_loops.py", "program-loops.mlir"), encoding="utf-8").read()
    weights = np.array(re.search(r"dense<\[(.*?)\]>", text, re.S)[1].translate({91: 32, 93: 32}).split(","), float)
    x, state = np.load(f"{folder}/x.npy"), np.load(f"{folder}/h.npy")
    expected = []
    for t in range(5):
        before, state = state, np.tanh(state @ weights.reshape(8, 8) + x[4 - t])
        expected.append(state)
    for name, wanted in (("all", np.stack(expected)), ("last", state), ("before", before)):
        compiled, interpreted = (np.load(f"{folder}/{kind}/{name}.npy") for kind in ("so", "interpreted"))
        difference = np.abs(compiled - interpreted).max()
        assert difference <= tolerance, f"{name}: {difference} from the interpreter"
        # The integer program is as good as its 8 bits.
        off = np.abs(interpreted - wanted).max()
        assert off <= (tolerance or 0.05), f"{name}: {off} from the definition"
