// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A libcuda.so.1 for tests: the functions of the driver that runtime/src/cuda.c
// calls, kernels run by the PTX emulator. As strict as the driver's manual:
// what a stream has is done when it is waited for, freed handles are not taken
// again, most functions need a context, little is allowed while a stream is
// recorded. What a program leaves behind and does wrong is counted.
//
// A test that loads the library first (its SONAME is libcuda.so.1) has it in
// the place of the driver. Programs find it by LD_LIBRARY_PATH, with
//   FAKE_CUDA=capability=80,fail=cuMemAlloc,binaries,no-device,report
// which sets the fields below; `report` prints them to stderr at the end.

#ifndef QDIALECT_UNITTESTS_RUNTIME_FAKECUDA_H
#define QDIALECT_UNITTESTS_RUNTIME_FAKECUDA_H

#include <cstdint>
#include <map>
#include <string>

struct FakeCuda {
  int capability = 90;
  bool hasDevice = true;
  /// Cubins are loaded; their kernels are launched and do nothing.
  bool takesBinaries = false;
  /// The call that fails, counted from now (1: the next); 0: none. A function
  /// that ends something does so and fails then, as late errors of launches
  /// come.
  uint64_t failCall = 0;
  /// The same by name: its next call.
  std::string failFunction;

  uint64_t calls = 0;
  std::map<std::string, uint64_t> callsOf;
  /// The function whose call failed by failCall.
  std::string failed;
  /// What is alive, by kind ("stream", "allocation", ...).
  std::map<std::string, int64_t> alive;
  uint64_t launches = 0;       ///< done, those of graphs too
  uint64_t binaryLaunches = 0; ///< of kernels of cubins
  /// Misuse that hardware might forgive, and what the emulator found.
  uint64_t mistakes = 0;
  std::string firstMistake;

  int64_t leaks() const {
    int64_t sum = 0;
    for (const auto &entry : alive)
      sum += entry.second;
    return sum;
  }
};

/// The one driver of the process.
extern "C" __attribute__((visibility("default"))) FakeCuda *fakeCuda();

#endif // QDIALECT_UNITTESTS_RUNTIME_FAKECUDA_H
