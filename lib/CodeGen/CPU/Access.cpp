// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linear addresses through views.

#include "Access.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace qdialect::cpu {

LinearForm LinearForm::loop(unsigned numLoops, unsigned loop) {
  LinearForm form(numLoops);
  form.coefficients[loop] = 1;
  return form;
}

int64_t multiplySizes(int64_t a, int64_t b, SymbolicShapes *shapes) {
  return shapes ? shapes->sizes.mul(a, b) : a * b;
}

static int64_t addSizes(int64_t a, int64_t b, SymbolicShapes *shapes) {
  return shapes ? shapes->sizes.add(a, b) : a + b;
}

std::optional<SmallVector<int64_t>> knownShape(Value tensor,
                                               SymbolicShapes *shapes) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type || (!type.hasStaticShape() && !shapes))
    return std::nullopt;
  if (type.hasStaticShape())
    return SmallVector<int64_t>(type.getShape());
  SymbolicShapes::Shape shape = shapes->shapeOf(tensor);
  if (llvm::is_contained(shape, ShapedType::kDynamic))
    return std::nullopt;
  return shape;
}

void LinearForm::accumulate(const LinearForm &form, int64_t factor,
                            SymbolicShapes *shapes) {
  offset = addSizes(offset, multiplySizes(form.offset, factor, shapes), shapes);
  for (auto [mine, theirs] : llvm::zip(coefficients, form.coefficients))
    mine = addSizes(mine, multiplySizes(theirs, factor, shapes), shapes);
}

SmallVector<int64_t> rowMajorStrides(ArrayRef<int64_t> shape,
                                     SymbolicShapes *shapes) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t dim = static_cast<int64_t>(shape.size()) - 2; dim >= 0; --dim)
    strides[dim] = multiplySizes(strides[dim + 1], shape[dim + 1], shapes);
  return strides;
}

static bool accumulateExpr(AffineExpr expr, int64_t factor, LinearForm &form) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    form.coefficients[dim.getPosition()] += factor;
    return true;
  }
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    form.offset += constant.getValue() * factor;
    return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  if (binary.getKind() == AffineExprKind::Add)
    return accumulateExpr(binary.getLHS(), factor, form) &&
           accumulateExpr(binary.getRHS(), factor, form);
  auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
  return binary.getKind() == AffineExprKind::Mul && constant &&
         accumulateExpr(binary.getLHS(), factor * constant.getValue(), form);
}

std::optional<SmallVector<LinearForm>> linearResults(AffineMap map) {
  if (map.getNumSymbols() != 0)
    return std::nullopt;
  SmallVector<LinearForm> forms;
  for (AffineExpr expr : map.getResults()) {
    LinearForm form(map.getNumDims());
    if (!accumulateExpr(expr, 1, form))
      return std::nullopt;
    forms.push_back(std::move(form));
  }
  return forms;
}

/// The row-major position of `indices` in a tensor of this shape.
static LinearForm linearize(ArrayRef<int64_t> shape,
                            ArrayRef<LinearForm> indices, unsigned numLoops,
                            SymbolicShapes *shapes) {
  LinearForm position(numLoops);
  for (auto [index, stride] :
       llvm::zip(indices, rowMajorStrides(shape, shapes)))
    position.accumulate(index, stride, shapes);
  return position;
}

/// The base behind reshapes alone, whose row-major position stays the same.
static Value skipReshapes(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

static bool isBase(Value value) {
  Operation *op = value.getDefiningOp();
  return !op || op->hasTrait<OpTrait::ConstantLike>();
}

std::optional<Access> resolveAccess(Value value, unsigned numLoops,
                                    ArrayRef<LinearForm> indices,
                                    SymbolicShapes *shapes) {
  SmallVector<LinearForm> forms(indices.begin(), indices.end());
  while (true) {
    std::optional<SmallVector<int64_t>> shape = knownShape(value, shapes);
    if (!shape)
      return std::nullopt;
    Value base = skipReshapes(value);
    if (isBase(base))
      return Access{base, linearize(*shape, forms, numLoops, shapes)};
    if (base != value)
      return std::nullopt; // a reshape of a view that is not contiguous
    Operation *op = value.getDefiningOp();
    if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
      SmallVector<LinearForm> source(forms.size());
      for (auto [position, from] : llvm::enumerate(transpose.getPermutation()))
        source[from] = forms[position];
      forms = std::move(source);
      value = transpose.getInput();
      continue;
    }
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
      llvm::SmallBitVector dropped = slice.getDroppedDims();
      SmallVector<LinearForm> source;
      unsigned next = 0;
      for (unsigned dim = 0, e = slice.getSourceType().getRank(); dim < e;
           ++dim) {
        auto offset = getConstantIntValue(slice.getMixedOffsets()[dim]);
        auto stride = getConstantIntValue(slice.getMixedStrides()[dim]);
        if (!offset || !stride)
          return std::nullopt;
        LinearForm form(numLoops);
        form.offset = *offset;
        if (!dropped.test(dim))
          form.accumulate(forms[next++], *stride, shapes);
        source.push_back(std::move(form));
      }
      forms = std::move(source);
      value = slice.getSource();
      continue;
    }
    return std::nullopt;
  }
}

void coalesceLoops(SmallVectorImpl<int64_t> &sizes,
                   ArrayRef<LinearForm *> forms, SymbolicShapes *shapes) {
  auto erase = [&](unsigned loop) {
    sizes.erase(sizes.begin() + loop);
    for (LinearForm *form : forms)
      form->coefficients.erase(form->coefficients.begin() + loop);
  };
  for (unsigned loop = 0; loop < sizes.size() && sizes.size() > 1;)
    if (sizes[loop] == 1)
      erase(loop);
    else
      ++loop;
  for (unsigned loop = 0; loop + 1 < sizes.size();) {
    bool joined = llvm::all_of(forms, [&](LinearForm *form) {
      return form->coefficients[loop] ==
             multiplySizes(form->coefficients[loop + 1], sizes[loop + 1],
                           shapes);
    });
    if (!joined) {
      ++loop;
      continue;
    }
    sizes[loop + 1] = multiplySizes(sizes[loop + 1], sizes[loop], shapes);
    erase(loop);
  }
}

} // namespace qdialect::cpu
