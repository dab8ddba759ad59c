# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""mean_shift.py REAL PLAIN CORRECTED: means over all samples of the logits of three programs. Those of the corrected one
are at most a third as far from the first one's as the plain one's are."""

import sys

import numpy as np

real, plain, corrected = (np.concatenate([np.load(path).reshape(-1, 10)], 0).mean(0) for path in sys.argv[1:])
shifts = [np.linalg.norm(other - real) for other in (plain, corrected)]
print("shifts of means: {:.5f} without, {:.5f} with".format(*shifts))
sys.exit(bool(shifts[1] > shifts[0] / 3))
