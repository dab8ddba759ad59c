// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The PTX emulator as the GPU of a compiled model.

#ifndef QDIALECT_EXECUTION_EMULATEDDEVICE_H
#define QDIALECT_EXECUTION_EMULATEDDEVICE_H

#include "QDialect/PTX/Report.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>
#include <vector>

struct qd_device;

namespace qdialect {

/// A device that runs every kernel with all checkers. What a checker finds
/// makes the launch fail; the message names step, kernel, line and finding.
class EmulatedDevice {
public:
  /// `name`: "ptx-emulator" for the newest GPU, "ptx-emulator:sm_80" for one
  /// that takes no code for newer ones. `threads`: of the host, 0 for all.
  static llvm::Expected<std::unique_ptr<EmulatedDevice>>
  create(llvm::StringRef name, int threads);
  ~EmulatedDevice();

  /// For qd_options; lives as long as this object.
  const qd_device *table() const;

  /// What the launches of one step have done since the device was made.
  struct StepCounters {
    std::string step, kernel;
    uint64_t launches = 0;
    uint64_t warpInstructions = 0;
    uint64_t matrixInstructions = 0;
    ptx::SiteCounters memory;
  };
  const std::vector<StepCounters> &counters() const;

private:
  struct Impl;
  explicit EmulatedDevice(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace qdialect

#endif // QDIALECT_EXECUTION_EMULATEDDEVICE_H
