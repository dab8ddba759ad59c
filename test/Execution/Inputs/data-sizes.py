# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs data-sizes.mlir at several counts in one instance: beyond both ends, and growing and shrinking again."""

import os
import sys

import numpy as np

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3)
sys.path.insert(0, os.path.join(ROOT, "python"))
from qdialect import Model  # noqa: E402

x = np.arange(16, dtype=np.float32).reshape(8, 2)
for library in ("m.so", "g.so"):
    with Model(os.path.join(sys.argv[1], library), threads=2) as model:
        assert model.symbols == {}, model.symbols
        for count in (3, 8, 0, -5, 99, 1):
            out = model.run(x, np.array(count))
            head = x[: min(max(count, 0), 8)]
            total = head.sum(dtype=np.float32)
            tail = np.full((int(total), 2), total, np.float32)
            assert np.array_equal(out["head"], head), (library, count, out["head"])
            assert np.array_equal(out["codes"], head.astype(np.int8)), (library, count, out["codes"])
            assert np.array_equal(out["both"], np.concatenate([head, tail])), (library, count, out["both"])
            assert out["total"] == total, (library, count, out["total"])
