# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""symbolic_loop.py FOLDER: both libraries of symbolic-loop.mlir against numpy, at several sizes and counts."""

import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "..", "python"))
from qdialect import Model, ModelError  # noqa: E402

folder = sys.argv[1]
rng = np.random.default_rng(7)
for library in ("m.so", "g.so"):
    for threads in (1, 2):
        with Model(os.path.join(folder, library), threads=threads) as model:
            for t, n, count in ((1, 2, 0), (1, 2, 1), (5, 96, 0), (5, 6, 3), (64, 34, 64), (2, 2, 9)):
                x = rng.standard_normal((t, n)).astype(np.float32)
                rows, state = np.empty_like(x), np.zeros(n, np.float32)
                for row in reversed(range(t)):
                    rows[row] = state = state * np.float32(0.5) + x[row]
                first = np.max(rows[:count], axis=0, initial=0)
                y = model.run(x=x, count=np.int64(count))
                assert np.array_equal(y["all"], rows), (library, threads, t, n)
                assert np.array_equal(y["first"], first), (library, threads, t, n, count)
            assert model.steps == {"t": 1, "n": 2}
            try:
                model.run(x=np.zeros((3, 7), np.float32), count=np.int64(1))
                raise AssertionError("7 columns are taken")
            except ModelError as error:
                assert "dimension 1 of input 'x' is 7, but must be a multiple of 2 ('n')" in str(error), error
