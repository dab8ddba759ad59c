# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""QDialect from Python: pure ctypes over the C interfaces, numpy in and out."""

from qdialect.model import Model, ModelError

__all__ = ["Model", "ModelError"]
