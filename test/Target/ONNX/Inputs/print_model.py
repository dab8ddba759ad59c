# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks an ONNX model and prints it in ONNX's text syntax: print_model.py MODEL [MODEL ...]"""

import sys

import onnx
import onnx.printer

for path in sys.argv[1:]:
    onnx.checker.check_model(path, full_check=True)
    print(onnx.printer.to_text(onnx.load(path)))
