// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What kernels cost on one core of a CPU variant. The costs are data, a file a
// variant (costs/*.yaml), so that another machine is another file.

#ifndef QDIALECT_CODEGEN_CPU_CPUCOSTS_H
#define QDIALECT_CODEGEN_CPU_CPUCOSTS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <map>
#include <optional>
#include <string>

namespace qdialect {
namespace qd {
class DispatchOp;
} // namespace qd

/// What one run of a kernel does, counted from its dispatch.
struct KernelWork {
  double products = 0;      ///< multiply-accumulates of codes
  double floatProducts = 0; ///< and of floats
  /// Scalar operations of element-wise payloads, of reductions that are no
  /// products, and elements of row functions (softmax, norms).
  double operations = 0;
  double bytes = 0;       ///< of inputs and result
  double weightBytes = 0; ///< of constants
};

/// Nothing where a size is symbolic. `weightBytes` is left to the caller, who
/// knows how they were packed.
std::optional<KernelWork> countWork(qd::DispatchOp dispatch);

/// What a kernel family takes for each unit of work on one core, in
/// nanoseconds.
struct FamilyCosts {
  double product = 0, floatProduct = 0, operation = 0, byte = 0, weightByte = 0;
};

struct CpuCosts {
  double stepMicroseconds = 0; ///< what every step takes, however small
  std::map<std::string, FamilyCosts> families; ///< "other": those not named

  /// What the kernel takes on one core, in microseconds: the sum over its work.
  double microseconds(const KernelWork &work, llvm::StringRef family) const;

  /// The costs that the library carries for a variant; null where there are
  /// none.
  static const CpuCosts *find(llvm::StringRef variant);
  /// Reads the YAML form; `path` names the file in errors. Unknown keys,
  /// negative costs and a missing "other" are errors.
  static llvm::Expected<CpuCosts> parse(llvm::StringRef text,
                                        llvm::StringRef path);
};

} // namespace qdialect

#endif // QDIALECT_CODEGEN_CPU_CPUCOSTS_H
