// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What control flow hands on in sizes that may differ: from one iteration to
// the next, or from one of two branches. Such sizes are left open in the types,
// and their numbers handed on beside the tensors:
//
//   scf.while (..., %list = %any, %count = %begin) ...      a list that grows
//     %n = qd.data_size %count
//     %rows = qd.sized %list[%n]
//     ...
//     scf.yield ..., (qd.any_size %more), (the number of its rows)

#ifndef QDIALECT_LIB_TARGET_ONNX_CARRIEDVALUES_H
#define QDIALECT_LIB_TARGET_ONNX_CARRIEDVALUES_H

#include "GraphBuilder.h"
#include <string>
#include <vector>

namespace qdialect::onnx_import {

class CarriedValues {
public:
  /// Nothing is open at first. `names` are for the sizes.
  CarriedValues(GraphBuilder &b, llvm::ArrayRef<Tensor> like,
                std::vector<std::string> names);

  /// The number of the first tensor that differs in more than sizes. One
  /// element is one element: exporters mix ranks 0 and 1.
  std::optional<size_t> findOther(llvm::ArrayRef<Tensor> tensors) const;
  /// Opens every size in which tensors differ; true if that opened one.
  bool widen(llvm::ArrayRef<Tensor> tensors);
  bool anyOpen() const;

  /// How many values stand for the tensors.
  size_t numValues() const;
  /// The values that stand for tensors: these, and the numbers of open sizes.
  llvm::SmallVector<mlir::Value> close(llvm::ArrayRef<Tensor> tensors) const;
  /// The tensors that values stand for. Where sizes are open only where sizes
  /// may depend on data.
  std::vector<Tensor> open(mlir::ValueRange values, llvm::StringRef when) const;

private:
  GraphBuilder *b;
  std::vector<Tensor> like;
  std::vector<std::string> names;
  std::vector<llvm::SmallVector<bool>> isOpen; ///< by tensor and axis
};

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_CARRIEDVALUES_H
