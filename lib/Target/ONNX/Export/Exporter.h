// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What emitters write with. Each value of the program is *bound* to a tensor of
// the model that has its elements, perhaps with the dimensions in another
// order: a convolution in NHWC is bound to the result of a Conv in NCHW, the
// element-wise ops behind it stay in that order, and a Transpose is written
// only where a reader needs another one.
//
// A reader asks for the dimensions it wants as a Layout: a list of groups,
// each of which becomes one dimension of the tensor.
//
//   value 2x3x4x5 with [[0], [3], [1, 2]]   a tensor 2x5x12
//   value 5       with [[], [0], []]        a tensor 1x5x1
//
// Dimensions of size one may be left out. Constants are permuted and reshaped
// in memory, so that weights stay constants in any layout.

#ifndef QDIALECT_LIB_TARGET_ONNX_EXPORT_EXPORTER_H
#define QDIALECT_LIB_TARGET_ONNX_EXPORT_EXPORTER_H

#include "Export/ModelWriter.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include <map>

namespace qdialect::onnx_export {

using Order = llvm::SmallVector<int64_t>;
using Layout = llvm::SmallVector<llvm::SmallVector<int64_t, 2>>;

Order identityOrder(int64_t rank);
/// Each dimension alone.
Layout layoutOf(llvm::ArrayRef<int64_t> order);

/// Dimension i of the tensor `name` is dimension `order[i]` of the value.
struct Binding {
  std::string name;
  Order order;
};

class Exporter {
public:
  Exporter(ModelWriter &model, mlir::MLIRContext *context)
      : model(model), context(context) {}

  ModelWriter &model;

  /// Exports the function's body, inputs and outputs.
  llvm::LogicalResult run(mlir::func::FuncOp main);

  // Reading values. Empty strings after an error, which has been emitted.
  /// The value's tensor as it lies; writes what is written on demand.
  std::optional<Binding> find(mlir::Value value);
  std::string use(mlir::Value value);
  /// A constant without a name of its own is called `otherwise`.
  std::string use(mlir::Value value, const Layout &layout,
                  llvm::StringRef otherwise = "constant");
  /// A small constant.
  std::string integers(llvm::ArrayRef<int64_t> numbers);
  std::string scalar(mlir::TypedAttr number);
  /// A size as a tensor of one int64.
  std::string size(mlir::OpFoldResult size);
  /// Sizes as a vector; at most one symbolic size becomes -1 if `inferOne`.
  std::string sizes(llvm::ArrayRef<mlir::OpFoldResult> sizes, bool inferOne);
  /// The elements of a constant in `layout`; nothing if it is none.
  std::optional<HostTensor> constant(mlir::Value value, const Layout &layout);
  /// A constant of `data`, one for all equal ones of a wish and at most 4096
  /// elements.
  std::string constant(const HostTensor &data, mlir::Type element,
                       llvm::StringRef wish);

  // Writing.
  /// A node of one result, named after `value` (or `wish` if that is null).
  std::string node(llvm::StringRef op, llvm::ArrayRef<std::string> inputs,
                   llvm::ArrayRef<NodeAttribute> attributes = {},
                   mlir::Value value = {}, llvm::StringRef wish = "");
  void bind(mlir::Value value, std::string name, llvm::ArrayRef<int64_t> order);
  void bind(mlir::Value value, std::string name);
  /// Binds `value` to a tensor whose dimensions are the groups of `layout`.
  llvm::LogicalResult bindMerged(mlir::Value value, std::string name,
                                 const Layout &layout);
  /// A fresh name for a tensor with the elements of `value`: the name of the
  /// model's output if the layout is that of the value.
  std::string nameFor(mlir::Value value, llvm::ArrayRef<int64_t> order);
  std::string nameFor(mlir::Value value, const Layout &layout);
  /// The tensor `name` with elements of another type.
  std::string convert(llvm::StringRef name, mlir::Type element);
  /// The node that dequantizes `codes`, which lie in `layout`. Nothing if the
  /// grid does not fit that layout, empty after an error.
  std::optional<std::string> dequantize(qd::DequantizeOp op, std::string codes,
                                        const Layout &layout,
                                        llvm::StringRef otherwise = "value");
  /// Whether that would give a node.
  static bool fitsLayout(qd::DequantizeOp op, const Layout &layout);
  /// Such ops are written for each reader in the layout that it wants.
  static bool isConstantDequantize(qd::DequantizeOp op);
  /// Says that an op is part of what another one was written as: its readers
  /// take `standIn` in its place.
  void absorb(mlir::Operation *op, mlir::Value standIn) {
    absorbed[op] = standIn;
  }
  mlir::Value absorbedBy(mlir::Operation *op) const {
    return absorbed.lookup(op);
  }
  /// Emits the error that `op` has no ONNX form.
  mlir::InFlightDiagnostic refuse(mlir::Operation *op);

private:
  llvm::LogicalResult emit(mlir::Operation *op);
  llvm::LogicalResult addInterface(mlir::func::FuncOp main);
  llvm::LogicalResult finish(mlir::func::FuncOp main,
                             mlir::Operation *terminator);
  std::string useConstant(mlir::Value value, const Layout &layout,
                          llvm::StringRef otherwise);
  std::string reshapeTo(mlir::Value value, std::string name,
                        const Layout &layout);

  mlir::MLIRContext *context;
  using Key = std::pair<void *, Layout>;
  llvm::DenseMap<mlir::Value, Binding> bindings;
  std::map<Key, std::string> laidOut;
  std::map<std::pair<const void *, std::string>, std::string> constants;
  llvm::DenseMap<mlir::Value, std::string> outputNames, sizeNames;
  llvm::DenseMap<mlir::Operation *, mlir::Value> absorbed;
};

/// How a kind of op is written. Rules are asked in order.
struct Rule {
  bool (*matches)(mlir::Operation *op);
  llvm::LogicalResult (*emit)(Exporter &exporter, mlir::Operation *op);
  /// Written only when something reads its result, which may be never: what
  /// readers take in as attributes or constants.
  bool onDemand = false;
};

using Rules = std::vector<Rule>;

template <typename... Ops>
bool isOneOf(mlir::Operation *op) {
  return llvm::isa<Ops...>(op);
}

// One function a family, in Export/<Family>.cpp.
void addCastRules(Rules &rules);
void addContractionRules(Rules &rules);
void addElementwiseRules(Rules &rules);
void addMovementRules(Rules &rules);
void addNormRules(Rules &rules);
void addReductionRules(Rules &rules);

/// The zeros or the like around `value` that a window can take as an attribute:
/// a tensor.pad by constant sizes with `element` everywhere but along `except`
/// (where it must not pad).
struct FoldedPad {
  mlir::Value source;
  llvm::SmallVector<int64_t> low, high; ///< of every dimension
};
FoldedPad foldPad(mlir::Value value,
                  llvm::function_ref<bool(mlir::Attribute)> isNeutral,
                  llvm::ArrayRef<unsigned> except);

/// Replaces a transpose or reshape of constants by what it is made from, and
/// the layout by the same elements of that; false if there is none.
bool lookThrough(mlir::Value &value, Layout &layout);

/// The name that the model had for the result of `op`, or "".
llvm::StringRef givenName(mlir::Operation *op);

} // namespace qdialect::onnx_export

#endif // QDIALECT_LIB_TARGET_ONNX_EXPORT_EXPORTER_H
