// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The file of a compiled model: looked at before it is loaded, because loading
// runs whatever code a library brings.

#ifndef QDIALECT_EXECUTION_LIBRARYFILE_H
#define QDIALECT_EXECUTION_LIBRARYFILE_H

#include "qdialect/model.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace qdialect {

/// A loaded library and its entry points; unloaded with the last reference.
class LibraryFile {
public:
  static llvm::Expected<std::shared_ptr<LibraryFile>>
  open(llvm::StringRef path);
  ~LibraryFile();

  const qd_info *info = nullptr;
  decltype(&qd_model_create) create = nullptr;
  decltype(&qd_model_run) run = nullptr;
  decltype(&qd_model_run_dims) runDims = nullptr;
  decltype(&qd_model_output_dims) outputDims = nullptr;
  decltype(&qd_model_result) result = nullptr;
  decltype(&qd_model_error) error = nullptr;
  decltype(&qd_model_destroy) destroy = nullptr;
  decltype(&qd_model_variant) variant = nullptr;
  decltype(&qd_model_profile) profile = nullptr;
  decltype(&qd_model_status_string) statusString = nullptr;

private:
  LibraryFile() = default;
  llvm::Error bind(llvm::StringRef path, const std::string &prefix);

  int descriptor = -1;
  void *handle = nullptr;
};

} // namespace qdialect

#endif // QDIALECT_EXECUTION_LIBRARYFILE_H
