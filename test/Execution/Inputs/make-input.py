# Part of the QDialect project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""make-input.py TYPE SHAPE FILE.npy: reproducible random data over the type."""

import sys

import numpy as np

dtype, shape = np.dtype(sys.argv[1]), [int(n) for n in sys.argv[2].split("x") if n]
random = np.random.default_rng(3)
if dtype.kind == "f":
    data = random.uniform(-4, 4, shape)
else:
    info = np.iinfo(dtype)
    data = random.integers(info.min, info.max, shape, endpoint=True)
np.save(sys.argv[3], data.astype(dtype))
