# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the machine can do at most (benchmarks/Peaks), and what it is."""

import ctypes as c
import os
import platform


class Peaks:
    """The rates of one build's library of peaks."""

    def __init__(self, library):
        self._library = c.CDLL(library)
        for name, result, arguments in (("name", c.c_char_p, [c.c_int]), ("unit", c.c_char_p, [c.c_int]),
                                        ("measure", c.c_double, [c.c_int, c.c_int, c.c_double])):
            function = getattr(self._library, f"qd_peak_{name}")
            function.restype, function.argtypes = result, arguments
        self.units, index = {}, 0
        while name := self._library.qd_peak_name(index):
            self.units[name.decode()] = self._library.qd_peak_unit(index).decode()
            index += 1

    def measure(self, name, threads=1, seconds=0.2):
        """Units of 1e9 a second; 0 where this machine lacks it."""
        return self._library.qd_peak_measure(list(self.units).index(name), threads, seconds)

    def here(self):
        return [name for name in self.units if self.measure(name, seconds=0) > 0]


def built_in(build):
    """The library of peaks in a build folder."""
    return os.path.join(os.path.abspath(build), "lib", "libqdialect-peaks.so")


def machine():
    """What a reader of the figures must know of the machine."""
    name = platform.processor() or "unknown CPU"
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                name = line.split(":")[1].strip()
                break
    return {"cpu": name, "cpus": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}


def described(machine):
    return f"{machine['cpu']}, {machine['cpus']} CPUs, load {machine['load']:.1f}"


def suite(bench):
    """Every peak on one and two threads."""
    for name in bench.peaks.here():
        for threads in bench.threads:
            rate = bench.peaks.measure(name, threads)
            bench.report.add("peak", f"{name} {threads} thread", bench.peaks.units[name], rate)
