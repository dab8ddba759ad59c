# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One contestant of scripts/bench: holds a model and answers requests, a line of JSON each.

  {"seconds": S, "peaks": [NAME...]}   -> {"times": [...], "peaks": {NAME: rate}, "memory": MB}
  {"samples": NPZ, "output": NPY}      -> true; the first output of every sample, stacked
"""

import json
import sys
import time

import numpy as np

from evaluation.bench import peaks, runtimes

PEAK_SECONDS = 0.01


def timed(call, feed, seconds):
    end, times = time.perf_counter() + seconds, []
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        call(feed)
        times.append(time.perf_counter() - start)
    return times


def count(samples):
    return len(next(iter(samples.values())))


def rows(samples):
    """Feeds of one row each, from arrays whose first dimension counts the samples."""
    return ({name: values[i:i + 1] for name, values in samples.items()} for i in range(count(samples)))


def peak_memory():
    """MB since this program began; what getrusage says begins with the parent."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def main():
    kind, path, threads, data, library = sys.argv[1:6]
    call, feed = runtimes.load(kind, path, int(threads)), dict(np.load(data))
    machine = peaks.Peaks(library)
    for _ in range(3):
        call(feed)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "samples" in request:
            np.save(request["output"], np.concatenate([call(row).copy() for row in rows(np.load(request["samples"]))]))
            answer = True
        else:
            rates = {name: machine.measure(name, int(threads), PEAK_SECONDS) for name in request["peaks"]}
            answer = {"times": timed(call, feed, request["seconds"]), "peaks": rates,
                      "memory": peak_memory()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
