# Part of the QDialect project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a command and succeeds if it exits with the code given first."""

import subprocess
import sys

expected, command = int(sys.argv[1]), sys.argv[2:]
actual = subprocess.run(command, check=False).returncode
if actual != expected:
    sys.exit(f"exit code {actual}, expected {expected}: {' '.join(command)}")
