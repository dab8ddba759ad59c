# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A q-batch process that is started again when a job kills it or hangs."""

import json
import select
import subprocess
import tempfile

TIMEOUT = 300  # seconds for one job


class Worker:
    def __init__(self, binary):
        self.binary, self.process, self.log = binary, None, None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    def start(self):
        self.log = tempfile.TemporaryFile(mode="w+", errors="replace")
        self.process = subprocess.Popen([self.binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.log.close()
            self.process = None

    def run(self, job):
        """The answer to the job; a crash or a hang is an answer with the stage "crash"."""
        if not self.process:
            self.start()
        line, waited = b"", True
        try:
            self.process.stdin.write(json.dumps(job).encode() + b"\n")
            self.process.stdin.flush()
            waited = bool(select.select([self.process.stdout], [], [], TIMEOUT)[0])
            if waited:
                line = self.process.stdout.readline()
        except BrokenPipeError:
            pass
        if line:
            return json.loads(line)
        try:
            self.process.wait(timeout=10 if waited else 0.1)
            hung = False
        except subprocess.TimeoutExpired:
            hung = True
        self.log.seek(0)
        said = self.log.read().strip().splitlines()[:2]
        self.stop()
        what = f"no answer in {TIMEOUT} s" if hung else "the process died"
        return {"ok": False, "stage": "crash", "error": f"{what}: {' '.join(said)[:300]}"}
