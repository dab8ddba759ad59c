// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// matmul(float(i == (0, 1, ..., n - 1)), W)  =>  row i of W
//
// An index that equals none of the numbers has a row of zeros: one more row of
// the table. What follows, element by element and with constants of the columns
// alone, is a function of the row and moves into the table:
//
//   gelu(table[i] + b)  =>  (gelu(table + b))[i]

#include "OneHot.h"

#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace qdialect {
namespace {

/// Integers whose equality with first, first + 1, ... makes the rows.
struct OneHotRows {
  Value indices;
  int64_t first = 0;
};

/// The op behind reshapes that keep the innermost dimension.
Value skipOuterReshapes(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    SmallVector<ReassociationIndices> groups;
    if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
      groups = collapse.getReassociationIndices();
    else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
      groups = expand.getReassociationIndices();
    if (groups.empty() || groups.back().size() != 1)
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// Does the constant count upwards along the last loop and vary along no other?
std::optional<int64_t> firstOfCount(Value constant, AffineMap map) {
  std::optional<ConstantView> view = constantView(constant);
  auto type = cast<RankedTensorType>(constant.getType());
  if (!view || !isa<IntegerType>(type.getElementType()))
    return std::nullopt;
  unsigned last = map.getNumDims() - 1;
  for (auto [dim, expr] : llvm::enumerate(map.getResults()))
    if (type.getDimSize(dim) != 1 &&
        cast<AffineDimExpr>(expr).getPosition() != last)
      return std::nullopt;
  for (int64_t i = 0, e = view->numElements(); i < e; ++i)
    if (view->integer(i) != view->integer(0) + i)
      return std::nullopt;
  return view->numElements() ? std::optional(view->integer(0)) : std::nullopt;
}

/// float(indices == count), with the comparison in the same op or before it.
std::optional<OneHotRows> matchRows(Value rows) {
  auto generic = skipOuterReshapes(rows).getDefiningOp<linalg::GenericOp>();
  if (!isElementwiseGeneric(generic))
    return std::nullopt;
  auto convert = generic.getBlock()
                     ->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<arith::UIToFPOp>();
  if (!convert || !convert.getIn().getType().isInteger(1))
    return std::nullopt;
  Value condition = convert.getIn();
  if (auto argument = dyn_cast<BlockArgument>(condition)) {
    OpOperand *operand = generic.getMatchingOpOperand(argument);
    if (!generic.getMatchingIndexingMap(operand).isIdentity())
      return std::nullopt;
    generic =
        skipOuterReshapes(operand->get()).getDefiningOp<linalg::GenericOp>();
    if (!isElementwiseGeneric(generic))
      return std::nullopt;
    condition = generic.getBlock()->getTerminator()->getOperand(0);
  }
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare || compare.getPredicate() != arith::CmpIPredicate::eq ||
      generic.getNumDpsInputs() != 2)
    return std::nullopt;
  for (unsigned side : {0u, 1u}) {
    auto index = dyn_cast<BlockArgument>(compare->getOperand(side));
    auto count = dyn_cast<BlockArgument>(compare->getOperand(1 - side));
    if (!index || !count)
      return std::nullopt;
    OpOperand *indices = generic.getMatchingOpOperand(index);
    OpOperand *counts = generic.getMatchingOpOperand(count);
    std::optional<int64_t> first =
        firstOfCount(counts->get(), generic.getMatchingIndexingMap(counts));
    // The indices are one a row: every loop but the last.
    AffineMap rowMap = generic.getMatchingIndexingMap(indices);
    AffineMap wanted = AffineMap::getMultiDimIdentityMap(generic.getNumLoops(),
                                                         generic.getContext())
                           .dropResult(generic.getNumLoops() - 1);
    if (first && rowMap == wanted)
      return OneHotRows{indices->get(), *first};
  }
  return std::nullopt;
}

/// `table[select(in range, index - first, last row), column]`.
linalg::GenericOp lookUp(OpBuilder &builder, Location loc, Value indices,
                         int64_t first, Value table, RankedTensorType type) {
  int64_t rows = cast<RankedTensorType>(table.getType()).getDimSize(0);
  Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(),
                                        type.getElementType());
  unsigned rank = type.getRank();
  AffineMap all = builder.getMultiDimIdentityMap(rank);
  return linalg::GenericOp::create(
      builder, loc, type, indices, ValueRange{empty},
      {all.dropResult(rank - 1), all},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [&](OpBuilder &b, Location l, ValueRange args) {
        Type integer = args[0].getType();
        auto number = [&](int64_t value) -> Value {
          return arith::ConstantOp::create(b, l,
                                           b.getIntegerAttr(integer, value));
        };
        Value place = arith::SubIOp::create(b, l, args[0], number(first));
        // Negative numbers count as large ones.
        Value exists = arith::CmpIOp::create(b, l, arith::CmpIPredicate::ult,
                                             place, number(rows - 1));
        place = arith::SelectOp::create(b, l, exists, place, number(rows - 1));
        Value index = arith::IndexCastOp::create(b, l, b.getIndexType(), place);
        Value column = linalg::IndexOp::create(b, l, rank - 1);
        Value element =
            tensor::ExtractOp::create(b, l, table, ValueRange{index, column});
        linalg::YieldOp::create(b, l, element);
      });
}

/// The matrix with its reduced dimension first and a row of zeros at its end.
Value extendedTable(OpBuilder &builder, Location loc, const ConstantView &view,
                    bool rowsFirst, int64_t rows, int64_t columns) {
  HostTensor table(DType::F32, {rows + 1, columns});
  float *to = table.mutableData<float>();
  for (int64_t k = 0; k < rows; ++k)
    for (int64_t n = 0; n < columns; ++n)
      to[k * columns + n] =
          view.get<float>(rowsFirst ? k * columns + n : n * rows + k);
  std::fill(to + rows * columns, to + (rows + 1) * columns, 0.0f);
  return makeConstant(
      builder, loc,
      RankedTensorType::get({rows + 1, columns}, builder.getF32Type()), "table",
      std::move(table));
}

bool raiseProduct(linalg::LinalgOp op) {
  std::optional<ContractionStructure> s = getContractionStructure(op);
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!s || s->isConvolution() || !s->weightIsConstant || !s->depth.empty() ||
      s->batch.size() != 1 || s->outputChannel.size() != 1 ||
      s->inputChannel.size() != 1 || !type || type.getRank() != 2 ||
      !type.hasStaticShape() || s->outputDim(s->batch[0]) != 0 ||
      s->activationDim(s->inputChannel[0]) != 1 ||
      !type.getElementType().isF32())
    return false;
  std::optional<ConstantView> weight =
      constantView(op->getOperand(s->weightOperand));
  std::optional<Attribute> init = getSplatValue(op.getDpsInits()[0]);
  auto start = init ? dyn_cast<FloatAttr>(*init) : FloatAttr();
  if (!weight || weight->dtype != DType::F32 || !start ||
      !start.getValue().isZero())
    return false;
  std::optional<OneHotRows> rows =
      matchRows(op->getOperand(s->activationOperand));
  if (!rows)
    return false;
  // Zero times an infinite weight would not be zero.
  for (int64_t i = 0, e = weight->numElements(); i < e; ++i)
    if (!std::isfinite(weight->number(i)))
      return false;
  OpBuilder builder(op);
  Location loc = op.getLoc();
  SmallVector<int64_t> shape = llvm::to_vector(
      cast<RankedTensorType>(rows->indices.getType()).getShape());
  shape.push_back(type.getDimSize(1));
  Value table = extendedTable(builder, loc, *weight,
                              s->weightDim(s->inputChannel[0]) == 0,
                              s->reductionSize(), type.getDimSize(1));
  auto lookedUp = RankedTensorType::get(shape, type.getElementType());
  auto found =
      lookUp(builder, loc, rows->indices, rows->first, table, lookedUp);
  if (Attribute name = op->getAttr(qd::kNameAttr))
    found->setAttr(qd::kNameAttr, name);
  // Importers multiply in two dimensions and give the rows their own shape
  // again.
  Value result = op->getResult(0);
  auto expand =
      result.hasOneUse()
          ? dyn_cast<tensor::ExpandShapeOp>(*result.getUsers().begin())
          : tensor::ExpandShapeOp();
  if (expand && expand.getType() == lookedUp) {
    expand.getResult().replaceAllUsesWith(found.getResult(0));
    return true;
  }
  Value flat = found.getResult(0);
  if (lookedUp != type) {
    auto groups = getReassociationIndicesForReshape(lookedUp, type);
    if (!groups || lookedUp.getRank() < type.getRank())
      return false;
    flat = tensor::CollapseShapeOp::create(builder, loc, flat, *groups);
  }
  result.replaceAllUsesWith(flat);
  return true;
}

/// The look-up that alone `value` comes from, if its table is constant, as long
/// as the rows it gives, and smaller than what it gives.
tensor::ExtractOp tableBehind(Value value) {
  auto generic = value.getDefiningOp<linalg::GenericOp>();
  if (!isElementwiseGeneric(generic) || !value.hasOneUse())
    return {};
  auto extract = generic.getBlock()
                     ->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<tensor::ExtractOp>();
  if (!extract || !constantView(extract.getTensor()) ||
      extract.getIndices().size() != 2)
    return {};
  auto column = extract.getIndices()[1].getDefiningOp<linalg::IndexOp>();
  auto table = cast<RankedTensorType>(extract.getTensor().getType());
  auto type = cast<RankedTensorType>(value.getType());
  if (!column || static_cast<int64_t>(column.getDim()) + 1 != type.getRank() ||
      !type.hasStaticShape() || table.getDimSize(1) != type.getShape().back() ||
      table.getNumElements() > type.getNumElements())
    return {};
  return extract;
}

/// f(table[i]) => (f(table))[i] for the op that reads the look-up.
bool moveIntoTable(Operation *op) {
  if (op->getNumResults() != 1)
    return false;
  Value read;
  AffineExpr column;
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (isa<qd::GeluOp, qd::SiluOp>(op)) {
    read = op->getOperand(0);
  } else if (isElementwiseGeneric(op) &&
             generic.getBlock()->getOps<linalg::IndexOp>().empty()) {
    column = getAffineDimExpr(generic.getNumLoops() - 1, op->getContext());
    for (OpOperand *input : generic.getDpsInputOperands()) {
      AffineMap map = generic.getMatchingIndexingMap(input);
      if (isComputedFromConstants(input->get())) {
        // Constants of the columns alone.
        if (map.getNumResults() > 1 ||
            (map.getNumResults() == 1 && map.getResult(0) != column))
          return false;
      } else if (!read && map.isIdentity()) {
        read = input->get();
      } else {
        return false;
      }
    }
  }
  tensor::ExtractOp extract = read ? tableBehind(read) : tensor::ExtractOp();
  if (!extract)
    return false;
  OpBuilder builder(op);
  auto table = cast<RankedTensorType>(extract.getTensor().getType());
  Type element = getElementTypeOrSelf(op->getResult(0));
  Value onTable;
  if (generic) {
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    AffineMap all = builder.getMultiDimIdentityMap(2);
    for (OpOperand *input : generic.getDpsInputOperands()) {
      bool isRead = input->get() == read;
      inputs.push_back(isRead ? extract.getTensor() : input->get());
      unsigned results = generic.getMatchingIndexingMap(input).getNumResults();
      maps.push_back(isRead         ? all
                     : results == 0 ? AffineMap::get(2, 0, op->getContext())
                                    : all.dropResult(0));
    }
    maps.push_back(all);
    Value empty = tensor::EmptyOp::create(builder, op->getLoc(),
                                          table.getShape(), element);
    auto copy = linalg::GenericOp::create(
        builder, op->getLoc(), table.clone(element), inputs, ValueRange{empty},
        maps,
        SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel));
    IRMapping none;
    generic.getRegion().cloneInto(&copy.getRegion(), none);
    onTable = copy.getResult(0);
  } else {
    IRMapping map;
    map.map(read, extract.getTensor());
    Operation *copy = builder.clone(*op, map);
    copy->getResult(0).setType(table.clone(element));
    copy->setDiscardableAttrs(DictionaryAttr::get(op->getContext()));
    onTable = copy->getResult(0);
  }
  // The same look-up in the other table.
  auto found = read.getDefiningOp<linalg::GenericOp>();
  IRMapping moved;
  moved.map(extract.getTensor(), onTable);
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  moved.map(
      found.getDpsInits()[0],
      tensor::EmptyOp::create(builder, op->getLoc(), type.getShape(), element));
  auto copy = cast<linalg::GenericOp>(builder.clone(*found, moved));
  copy.getResult(0).setType(type);
  Block &body = *copy.getBlock();
  body.getArguments().back().setType(element);
  body.getTerminator()->getOperand(0).setType(element);
  if (Attribute name = op->getAttr(qd::kNameAttr))
    copy->setAttr(qd::kNameAttr, name);
  op->getResult(0).replaceAllUsesWith(copy.getResult(0));
  op->erase();
  found->erase();
  return true;
}

} // namespace

int64_t raiseOneHotProducts(func::FuncOp function) {
  Block &block = function.getBody().front();
  int64_t count = 0;
  for (Operation &op : block)
    if (auto product = dyn_cast<linalg::LinalgOp>(op))
      if (op.getNumResults() == 1)
        count += raiseProduct(product);
  if (count == 0)
    return 0;
  // Users come later: one walk follows a chain to its end.
  for (Operation &op : llvm::make_early_inc_range(block))
    moveIntoTable(&op);
  return count;
}

} // namespace qdialect
