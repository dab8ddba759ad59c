// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a dispatch's region is made of: one root (or none) and the element-wise
// steps from it to the result. And how the steps see memory: every operand of
// a step is the value in registers, a constant, or a linear access.

#ifndef QDIALECT_LIB_CODEGEN_CPU_KERNELREGION_H
#define QDIALECT_LIB_CODEGEN_CPU_KERNELREGION_H

#include "Access.h"
#include "QDialect/CodeGen/CPU/KernelPlan.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace qdialect::cpu {

struct KernelRegion {
  qd::DispatchOp dispatch;
  /// The op that is not element-wise; null if there is none.
  mlir::Operation *root = nullptr;
  /// linalg.generic and qd.lookup, operands before users.
  llvm::SetVector<mlir::Operation *> steps;
  mlir::Value result;
  /// The sizes of a dispatch that is not static; null for one that is.
  std::shared_ptr<SymbolicShapes> shapes;

  mlir::RankedTensorType resultType() const {
    return llvm::cast<mlir::RankedTensorType>(result.getType());
  }
  unsigned numInputs() const;
  mlir::Block &body() const;
  /// What the code depends on of symbolic sizes, as text.
  std::string sizesKey() const;
  /// By symbol of `shapes`: its place among kernelSizes(dispatch), if the
  /// kernel can read it there.
  llvm::SmallVector<std::optional<unsigned>> symbolPlaces() const;
  /// Can the kernel compute the size?
  bool canCompute(int64_t size) const;
  /// Nothing when the region is no root with an epilogue, or has a size that
  /// does not follow from those of its inputs.
  static std::optional<KernelRegion> analyze(qd::DispatchOp dispatch);
};

/// All loops parallel, identity output, payload that ignores the output.
bool isElementwiseStep(mlir::Operation *op);

/// Interval of the finite values that a scalar takes.
struct Interval {
  double low, high;
  double magnitude() const { return std::max(std::abs(low), std::abs(high)); }
};

/// The operands of a region's steps, over loops that were joined where all
/// operands allow it.
class Epilogue {
public:
  struct Operand {
    enum Kind { Chain, Memory, Splat, Parameter } kind = Chain;
    /// Chain: the root's or another step's result; Parameter: the constant.
    mlir::Value value;
    unsigned argument = 0; ///< Memory: position in the kernel's `args`
    mlir::Type element;    ///< Memory: the tensor's element type
    LinearForm form;       ///< Memory: elements, over the joined loops
    mlir::Attribute splat; ///< Splat: a scalar attribute
  };

  KernelRegion *region = nullptr;
  /// Joined loops; the last is walked by vectors.
  llvm::SmallVector<int64_t> sizes;
  LinearForm output;
  /// Set by the family: bounds of the root's result, if finite.
  std::optional<Interval> rootRange;

  /// Resolves every operand; appends the constants it needs to `blobs`. Where
  /// the family makes rows of `columns` results, they are the innermost loop.
  /// `ofRoot`: the zero points that the root subtracts are parameters, too.
  static std::optional<Epilogue>
  create(KernelRegion &region, std::vector<ConstantBlob> &blobs,
         std::optional<int64_t> columns = std::nullopt, bool ofRoot = false);

  const Operand &operand(mlir::OpOperand &use) const {
    return operands.at(&use);
  }
  /// qd.lookup -> position in `args` of its table, i32 in offset binary.
  llvm::DenseMap<mlir::Operation *, unsigned> tables;
  /// Constants of payloads that the kernel reads from memory, four bytes each
  /// (an i64 that fits, too): layers that differ in them alone (in scales and
  /// zero points) share it. By their places there; equal numbers have one, so
  /// that what they cancel out is known to the kernel.
  using Parameters = llvm::MapVector<mlir::Value, unsigned>;
  Parameters parameters;
  unsigned parametersArgument = 0; ///< position in `args`

  /// For a region without steps: the result itself, read from memory.
  const Operand &passThrough() const { return *direct; }
  bool isPassThrough() const { return direct.has_value(); }
  /// Position in `args` of the bytes between the start of what passThrough()
  /// reads and its first element, if they are not none: slices that differ in
  /// where they begin share a kernel.
  std::optional<unsigned> originArgument;

  /// Bounds of a scalar of a payload; nothing if it may be NaN or infinite.
  std::optional<Interval> rangeOf(mlir::Value scalar) const;
  /// Is nothing divided by this scale?
  bool isOne(mlir::Value scale) const;
  /// Bounds of the real number that a quantize or requantize rounds.
  std::optional<Interval> roundedRange(mlir::Operation *cast) const;
  /// What bounds prove of the right shift of a qd.rescale.
  struct Shift {
    /// No product lies half way between two codes, whatever the input.
    bool neverTies = false;
    /// All shifts are at least 33: the upper halves of the products suffice.
    bool isHigh = false;
    bool isLow = false; ///< All shifts are at most 32.
    /// Nothing is multiplied, and the input and half a step together fit 32
    /// bits.
    bool isNarrow = false;
    /// Binary digits behind the point that a result keeps until it is rounded:
    /// 32-bit lanes have room for so many.
    unsigned digits = 1;
    /// The upper halves of the products have no digits beyond these.
    bool isWord = false;
    /// The zero point lies in the alphabet.
    bool hasCodeAsZero = false;
  };
  /// As many digits as leave i16 lanes 256 codes to either side.
  static constexpr unsigned kMostDigits = 7;
  /// Nothing if a product, or one plus half a step, could leave i64, or a
  /// rounded one the range that isSafe asks for.
  std::optional<Shift> shiftOf(qd::RescaleOp rescale) const;
  bool negativesSaturate(qd::RescaleOp rescale) const;
  /// How often 2 divides the scalar at most, unless it is 0.
  std::optional<unsigned> mostTrailingZeros(mlir::Value scalar) const;
  /// Small enough that rounded values and zero points add without wrapping.
  static bool isSafe(std::optional<Interval> range) {
    return range && range->magnitude() < (1 << 30);
  }
  /// Small enough to be rounded by adding 1.5 * 2^23.
  static bool isNear(std::optional<Interval> range) {
    return range && range->magnitude() < (1 << 22) - 1;
  }
  static bool isSafeZeroPoint(std::optional<Interval> range) {
    return range && range->magnitude() < (1 << 20);
  }
  /// Everything that the code of the epilogue and of its root depends on, as
  /// text: a plan's key.
  std::string key() const;

private:
  /// Adds an innermost loop of one iteration.
  void appendUnitLoop();
  /// The loops of a result without dimensions.
  void makeRowOfOne();
  /// Joins loops that all operands walk as one, columns among themselves.
  bool joinLoops(std::optional<int64_t> columns);
  void addParameters(std::vector<ConstantBlob> &blobs, bool ofRoot);
  /// Moves the offset of what passes through to the kernel's constants.
  void addOrigin(std::vector<ConstantBlob> &blobs);
  /// What ranges prove and the code depends on.
  std::string provenFacts() const;
  std::string passThroughKey() const;
  bool addTable(qd::LookupOp lookup, std::vector<ConstantBlob> &blobs);
  bool addExtract(mlir::tensor::ExtractOp extract,
                  std::vector<ConstantBlob> &blobs);
  bool addOperand(mlir::OpOperand &use, llvm::ArrayRef<LinearForm> indices,
                  std::vector<ConstantBlob> &blobs);
  std::optional<Operand> memoryOperand(mlir::Value value,
                                       llvm::ArrayRef<LinearForm> indices,
                                       std::vector<ConstantBlob> &blobs);

  llvm::DenseMap<mlir::OpOperand *, Operand> operands;
  llvm::DenseMap<mlir::Value, unsigned> blobOf;
  std::optional<Operand> direct;
};

/// A blob holding a constant tensor as the program's memory would, with 64
/// bytes of slack that vector loads may touch.
ConstantBlob tensorBlob(ConstantView view);

/// The scalar that all elements of a constant tensor are; null if they differ.
mlir::Attribute splatOf(mlir::Value constant);

/// Bounds of a constant's elements; nothing if one is not finite.
std::optional<Interval> rangeOfConstant(mlir::Value constant);

/// The text that stands for everything but the contents of constants: of
/// tensors and of these `parameters`, which stand for their places.
std::string structureKey(qd::DispatchOp dispatch,
                         const Epilogue::Parameters &parameters = {});

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_KERNELREGION_H
