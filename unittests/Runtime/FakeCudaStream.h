// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A stream of the fake driver: work waits in it until somebody waits for it, or
// is recorded.

#ifndef QDIALECT_UNITTESTS_RUNTIME_FAKECUDASTREAM_H
#define QDIALECT_UNITTESTS_RUNTIME_FAKECUDASTREAM_H

#include "CudaTypes.h"
#include <functional>
#include <utility>
#include <vector>

namespace fake {

/// Gives a CUresult.
using Work = std::function<int()>;

class Stream {
public:
  int add(Work one) {
    (recording ? recorded : waiting).push_back(std::move(one));
    return CUDA_SUCCESS;
  }

  /// Does everything; the first error stays the stream's for good.
  void finish() {
    for (const Work &work : std::exchange(waiting, {}))
      if (!error)
        error = work();
  }

  int synchronize() {
    if (recording) {
      isInvalid = true;
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    finish();
    return error;
  }

  bool isRecording() const { return recording; }
  int beginRecording() {
    if (recording)
      return CUDA_ERROR_INVALID_VALUE;
    recording = true;
    isInvalid = false;
    return CUDA_SUCCESS;
  }
  int endRecording(std::vector<Work> &result) {
    if (!recording)
      return CUDA_ERROR_INVALID_VALUE;
    recording = false;
    result = std::exchange(recorded, {});
    return isInvalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS;
  }

private:
  std::vector<Work> waiting, recorded;
  bool recording = false, isInvalid = false;
  int error = CUDA_SUCCESS;
};

} // namespace fake

#endif // QDIALECT_UNITTESTS_RUNTIME_FAKECUDASTREAM_H
