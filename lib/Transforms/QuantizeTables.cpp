// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tables whose rows are read at computed places (embeddings) to codes with a
// scale a row:
//
//   %t = qd.dequantize %codes scale %s block_sizes = [1, 0]
//        : tensor<30522x384xi8>, tensor<30522x1xf32> -> tensor<30522x384xf32>
//   linalg.generic ... { tensor.extract %t[%word, %column] ... }

#include "QuantizeTables.h"

#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/Quantize.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {
namespace {

/// A smaller table gains nothing that anybody sees.
constexpr int64_t kLeastElements = 1 << 14;

/// Is the last index that of a loop, so that rows are read whole or in part?
bool readsRows(tensor::ExtractOp extract) {
  mlir::ValueRange indices = extract.getIndices();
  return indices.size() >= 2 &&
         indices.back().getDefiningOp<linalg::IndexOp>() &&
         !llvm::all_of(indices, [](Value index) {
           return bool(index.getDefiningOp<linalg::IndexOp>());
         });
}

/// The dequantized codes of a constant of f32.
Value quantizeTable(OpBuilder &builder, arith::ConstantOp table,
                    const TensorRecipe &recipe) {
  std::optional<ConstantView> view = constantView(table);
  auto type = cast<RankedTensorType>(table.getType());
  HostTensor values = view->toHostTensor();
  ScaleOptions options = recipe.scaleOptions();
  int64_t columns = type.getShape().back();
  int64_t rows = type.getNumElements() / columns;
  SmallVector<int64_t> scaleShape(type.getShape()), blocks(type.getRank(), 1);
  scaleShape.back() = 1;
  blocks.back() = 0;
  HostTensor codes(DType::I8, type.getShape().vec());
  HostTensor scales(DType::F32,
                    std::vector<int64_t>(scaleShape.begin(), scaleShape.end()));
  const float *from = values.data<float>();
  int8_t *to = codes.mutableData<int8_t>();
  for (int64_t row = 0; row < rows; ++row) {
    const float *numbers = from + row * columns;
    float scale = chooseParams(numbers, columns, options).scale;
    scales.mutableData<float>()[row] = scale;
    for (int64_t column = 0; column < columns; ++column)
      to[row * columns + column] = static_cast<int8_t>(
          quantize(numbers[column], scale, 0, options.qmin, options.qmax));
  }
  builder.setInsertionPointAfter(table);
  Location loc = table.getLoc();
  Value codeConstant = makeConstant(
      builder, loc, type.clone(builder.getIntegerType(recipe.format.bits)),
      "table_codes", std::move(codes));
  Value scaleConstant = makeConstant(
      builder, loc, RankedTensorType::get(scaleShape, builder.getF32Type()),
      "table_scales", std::move(scales));
  auto result = qd::DequantizeOp::create(builder, loc, type, codeConstant,
                                         scaleConstant, Value(), blocks);
  if (Attribute name = table->getAttr(qd::kNameAttr))
    result->setAttr(qd::kNameAttr, name);
  return result;
}

} // namespace

int64_t quantizeTables(func::FuncOp function, const TensorRecipe &recipe) {
  llvm::DenseMap<Operation *, Value> quantized;
  SmallVector<tensor::ExtractOp> reads;
  for (Block *block : programBlocks(function))
    for (auto generic : block->getOps<linalg::GenericOp>())
      llvm::append_range(reads,
                         generic.getBlock()->getOps<tensor::ExtractOp>());
  OpBuilder builder(function.getContext());
  for (tensor::ExtractOp read : reads) {
    auto table = read.getTensor().getDefiningOp<arith::ConstantOp>();
    auto type = cast<RankedTensorType>(read.getTensor().getType());
    if (!table || !readsRows(read) || !type.getElementType().isF32() ||
        type.getNumElements() < kLeastElements || !constantView(table))
      continue;
    Value &codes = quantized[table];
    if (!codes)
      codes = quantizeTable(builder, table, recipe);
    read.getTensorMutable().assign(codes);
  }
  return static_cast<int64_t>(quantized.size());
}

} // namespace qdialect
