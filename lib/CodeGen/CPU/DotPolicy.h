// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How one CPU variant multiplies and accumulates: the only part of the
// contraction kernels that knows instructions. All variants read the same
// packed image: rows of k (4 codes, or one float) of 16-channel groups.

#ifndef QDIALECT_LIB_CODEGEN_CPU_DOTPOLICY_H
#define QDIALECT_LIB_CODEGEN_CPU_DOTPOLICY_H

#include "Emitter.h"
#include <memory>

namespace qdialect::cpu {

/// Largest tile for a number of 16-channel vectors.
struct TileShape {
  int64_t rows;
  int64_t vectors;
};

class DotPolicy {
public:
  using Value = mlir::Value;
  explicit DotPolicy(Emitter &e) : e(e) {}
  virtual ~DotPolicy() = default;

  static std::unique_ptr<DotPolicy> create(Emitter &e, bool isFloat);
  /// What the registers hold. `panelVectors` is the width of the panel;
  /// `pointers` says that each row takes an address register.
  static TileShape tileShape(const CpuTarget &target, bool isFloat,
                             int64_t panelVectors, bool pointers,
                             bool isNarrow = false);

  /// The accumulators of 16 channels that start from `init` (vector<16xT>).
  virtual llvm::SmallVector<Value> start(Value init) = 0;
  /// The 16 sums.
  virtual Value finish(mlir::ValueRange accumulators) = 0;
  /// The weights of 16 channels at one k step.
  virtual llvm::SmallVector<Value> loadWeights(Value pointer) = 0;
  /// One k step of one row: 4 codes (unsigned bytes) or one float.
  virtual Value loadActivations(Value pointer) = 0;
  virtual void accumulate(llvm::MutableArrayRef<Value> accumulators,
                          Value activations, llvm::ArrayRef<Value> weights) = 0;

protected:
  Emitter &e;
};

/// The policies of codes, for kernels that unpack weights in registers.
class CodeDotPolicy : public DotPolicy {
public:
  using DotPolicy::DotPolicy;
  /// `isNarrow`: two weights of at most 64 steps never leave an i16 when
  /// multiplied by unsigned bytes and added. `byChannel`: the activations are
  /// those of splitActivations.
  static std::unique_ptr<CodeDotPolicy>
  create(Emitter &e, bool isNarrow = false, bool byChannel = false);
  static constexpr int64_t kNarrow = 64;

  /// One k step of 16 channels: signed bytes [16][4] (vector<64xi8>).
  virtual llvm::SmallVector<Value> splitWeights(Value bytes) = 0;
  /// One k step of one row: four unsigned bytes in an i32.
  virtual Value spreadActivations(Value four) = 0;
  /// One k step of 16 channels that each have codes of their own: unsigned
  /// bytes [16][4] (vector<64xi8>).
  virtual llvm::SmallVector<Value> splitActivations(Value bytes) = 0;
  virtual void accumulateByChannel(llvm::MutableArrayRef<Value> accumulators,
                                   llvm::ArrayRef<Value> activations,
                                   llvm::ArrayRef<Value> weights);
  Value loadActivations(Value pointer) final {
    return spreadActivations(e.load(e.i32(), pointer));
  }
};

/// The instruction that the policy is made of, for the receipt.
std::string dotInstruction(const CpuTarget &target, bool isFloat,
                           bool isNarrow = false);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_DOTPOLICY_H
