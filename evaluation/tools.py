# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of the project's own tools, and where they and the scratch files are."""

import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "python"))


class Tools:
    """The tools of one build folder, and a scratch folder that goes with the object. `peers`: whether rows that need
    another system's answer are wanted."""

    def __init__(self, build, peers=True, quick=False):
        self.peers = peers
        self.quick = quick
        self.bin = os.path.join(os.path.abspath(build), "bin")
        self._scratch = tempfile.TemporaryDirectory(prefix="qdialect-")
        self.scratch = self._scratch.name

    def path(self, name):
        return os.path.join(self.scratch, name)

    def run(self, tool, *args, env=None):
        command = [os.path.join(self.bin, tool), *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})}, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def compile(self, model, output, *args):
        self.run("q-compile", model, "-o", output, *args)
        return output


def variants_here(so):
    """The variants of the library that this machine can run."""
    from qdialect import Model, ModelError

    with Model(so) as m:
        names = m.variants
    possible = []
    for name in names:
        try:
            Model(so, variant=name).close()
            possible.append(name)
        except ModelError:
            print(f"skipped variant {name}: this machine cannot run it")
    return possible
