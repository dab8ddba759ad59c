// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads a dequantized constant, behind transposes and reshapes if there are
// any, as signed weights of 8 bits, or of 16. A zero point is subtracted from
// the codes when every difference still fits, and stays a number beside them
// otherwise.

#include "IntegerizeFamilies.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect {
namespace {

/// A dense array of doubles or codes in the shape of a value.
template <typename T>
struct Array {
  SmallVector<int64_t> shape;
  std::vector<T> values;

  /// Result dimension d is our dimension `order[d]`.
  Array transposed(ArrayRef<int64_t> order) const {
    Array result;
    SmallVector<int64_t> strides(shape.size(), 1), from;
    for (int64_t i = static_cast<int64_t>(shape.size()) - 2; i >= 0; --i)
      strides[i] = strides[i + 1] * shape[i + 1];
    for (int64_t d : order) {
      result.shape.push_back(shape[d]);
      from.push_back(strides[d]);
    }
    result.values.resize(values.size());
    SmallVector<int64_t> index(shape.size(), 0);
    int64_t source = 0;
    for (T &out : result.values) {
      out = values[source];
      for (int64_t i = shape.size() - 1; i >= 0; --i) {
        source += from[i];
        if (++index[i] < result.shape[i])
          break;
        source -= from[i] * result.shape[i];
        index[i] = 0;
      }
    }
    return result;
  }
};

/// Integer codes of a constant; std::nullopt for other values.
std::optional<Array<int32_t>> readCodes(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    auto inner = readCodes(transpose.getInput());
    if (inner)
      return inner->transposed(transpose.getPermutation());
    return std::nullopt;
  }
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
    auto inner = readCodes(op->getOperand(0));
    if (inner)
      inner->shape = llvm::to_vector(
          cast<RankedTensorType>(op->getResult(0).getType()).getShape());
    return inner;
  }
  std::optional<ConstantView> view = constantView(value);
  auto alphabet = dyn_cast<qd::AlphabetTypeInterface>(
      getElementTypeOrSelf(value.getType()));
  if (!view || !alphabet || alphabet.getIntegerShift() != 0 ||
      alphabet.getCodeBits() > 16)
    return std::nullopt;
  Array<int32_t> codes;
  codes.shape = llvm::to_vector(view->type.getShape());
  codes.values.resize(view->numElements());
  if (view->dtype == DType::I8 && !view->splat) {
    const char *raw = view->raw.data();
    for (size_t i = 0; i < codes.values.size(); ++i)
      codes.values[i] = static_cast<int8_t>(raw[i]);
    return codes;
  }
  unsigned bits = alphabet.getCodeBits();
  uint64_t mask = (uint64_t(1) << bits) - 1;
  for (size_t i = 0; i < codes.values.size(); ++i)
    codes.values[i] = static_cast<int32_t>(
        alphabet.decode(static_cast<uint64_t>(view->integer(i)) & mask));
  return codes;
}

/// A scale or zero point (or the number `missing`) element by element along the
/// dimensions of `shape` that it varies on.
std::optional<Array<double>> readParameter(Value value, ArrayRef<int64_t> shape,
                                           double missing) {
  Array<double> result;
  result.shape.assign(shape.size(), 1);
  if (!value) {
    result.values.push_back(missing);
    return result;
  }
  std::optional<ConstantView> view = constantView(value);
  if (!view)
    return std::nullopt;
  if (view->type.getRank() != 0)
    result.shape = llvm::to_vector(view->type.getShape());
  for (auto [size, dim] : llvm::zip_equal(result.shape, shape))
    if (size != 1 && size != dim)
      return std::nullopt; // blocks of several elements
  for (int64_t i = 0, e = view->numElements(); i < e; ++i)
    result.values.push_back(view->number(i));
  return result;
}

/// `parameter` of the dequantized tensor carried through the reshapes and
/// transposes between it and `value`.
std::optional<Array<double>> carry(Array<double> parameter, Value value,
                                   Operation *source) {
  Operation *op = value.getDefiningOp();
  if (op == source)
    return parameter;
  std::optional<Array<double>> inner =
      carry(std::move(parameter), op->getOperand(0), source);
  if (!inner)
    return std::nullopt;
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op))
    return inner->transposed(transpose.getPermutation());
  // Reshapes keep a dimension that the parameter varies on whole, or split it;
  // all others must be of size one in the parameter.
  auto to = cast<RankedTensorType>(op->getResult(0).getType());
  if (inner->values.size() == 1) {
    inner->shape.assign(to.getRank(), 1);
    return inner;
  }
  auto from = cast<RankedTensorType>(op->getOperand(0).getType());
  auto expand = dyn_cast<tensor::ExpandShapeOp>(op);
  auto groups =
      expand ? expand.getReassociationIndices()
             : cast<tensor::CollapseShapeOp>(op).getReassociationIndices();
  SmallVector<int64_t> shape(to.getRank(), 1);
  for (auto [one, many] : llvm::enumerate(groups)) {
    if (expand) {
      bool varies = inner->shape[one] != 1;
      for (int64_t d : many)
        shape[d] = varies ? to.getDimSize(d) : 1;
      continue;
    }
    int64_t varying = 1, whole = 1;
    for (int64_t d : many) {
      varying *= inner->shape[d];
      whole *= from.getDimSize(d);
    }
    if (varying != 1 && varying != whole)
      return std::nullopt;
    shape[one] = varying;
  }
  inner->shape = shape;
  return inner;
}

/// The dequantize behind transposes and reshapes.
qd::DequantizeOp findDequantize(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto dequantize = dyn_cast<qd::DequantizeOp>(op))
      return dequantize;
    if (!isa<linalg::TransposeOp, tensor::ExpandShapeOp,
             tensor::CollapseShapeOp>(op))
      break;
    value = op->getOperand(0);
  }
  return {};
}

std::nullopt_t refuse(IntegerizeContext &context, const llvm::Twine &why) {
  context.reason = why.str();
  return std::nullopt;
}

Coefficient toCoefficient(const Array<double> &array) {
  Coefficient result;
  for (auto [dim, size] : llvm::enumerate(array.shape))
    if (size != 1) {
      result.dims.push_back(dim);
      result.sizes.push_back(size);
    }
  result.values = array.values;
  return result;
}

} // namespace

std::optional<IntegerWeights> readWeights(IntegerizeContext &context,
                                          Value operand) {
  qd::DequantizeOp dequantize = findDequantize(operand);
  if (!dequantize)
    return refuse(context, "its weight is not quantized");
  std::optional<Array<int32_t>> codes = readCodes(dequantize.getInput());
  if (!codes)
    return refuse(context, "its weight is no constant of integers of at most "
                           "16 bits");
  if (dequantize.getScales().size() != 1 || dequantize.getGroupIndex() ||
      dequantize.getZeroPointDomain() != qd::ZeroPointDomain::Code)
    return refuse(context, "its weight has several scales, a group index or a "
                           "real zero point");
  std::optional<Array<double>> scale =
      readParameter(dequantize.getScales()[0], codes->shape, 1);
  std::optional<Array<double>> zero =
      readParameter(dequantize.getZeroPoint(), codes->shape, 0);
  if (!scale || !zero)
    return refuse(context, "its weight has scales that are not constant or "
                           "span blocks of several elements");
  // Subtract zero points while codes and parameters are in one layout.
  auto fit = [](ArrayRef<int32_t> weights, int32_t reach) {
    return llvm::all_of(weights,
                        [&](int32_t w) { return w >= -reach && w < reach; });
  };
  constexpr int32_t kBytes = 128, kWords = 1 << 15;
  bool isWide = !fit(codes->values, kBytes), separate = false;
  if (!llvm::all_of(zero->values, [](double z) { return z == 0; })) {
    Coefficient zeros = toCoefficient(*zero);
    SmallVector<unsigned> all =
        llvm::to_vector<6>(llvm::seq<unsigned>(codes->shape.size()));
    std::vector<double> spread = zeros.spread(all, codes->shape).values;
    std::vector<int32_t> centered = codes->values;
    for (size_t i = 0; i < spread.size(); ++i)
      centered[i] -= static_cast<int32_t>(spread[i]);
    // Bytes beside their zero point are cheaper than words without.
    bool areBytes = fit(centered, kBytes);
    separate = !areBytes && (!isWide || !fit(centered, kWords));
    isWide &= !areBytes;
    if (!separate)
      codes->values = std::move(centered);
  }
  for (int32_t code : codes->values)
    if (isWide && !fit(code, kWords))
      return refuse(context, "its weight has a code " + llvm::Twine(code) +
                                 ", which is outside [-32768, 32767]");
  // Then move both as the operand moves them.
  std::function<Array<int32_t>(Value)> move = [&](Value value) {
    Operation *op = value.getDefiningOp();
    if (op == dequantize)
      return *codes;
    Array<int32_t> inner = move(op->getOperand(0));
    if (auto transpose = dyn_cast<linalg::TransposeOp>(op))
      return inner.transposed(transpose.getPermutation());
    inner.shape = llvm::to_vector(
        cast<RankedTensorType>(op->getResult(0).getType()).getShape());
    return inner;
  };
  std::optional<Array<double>> carried = carry(*scale, operand, dequantize);
  if (!carried)
    return refuse(context, "its weight's scales do not survive a reshape");
  IntegerWeights weights;
  weights.scale = toCoefficient(*carried);
  if (separate) {
    std::optional<Array<double>> moved = carry(*zero, operand, dequantize);
    if (!moved)
      return refuse(context,
                    "its weight's zero points do not survive a reshape");
    weights.zeroPoint = toCoefficient(*moved);
  }
  bool untouched =
      !isWide && operand.getDefiningOp() == dequantize &&
      getElementTypeOrSelf(dequantize.getInput()).isSignlessInteger(8) &&
      (separate ||
       llvm::all_of(zero->values, [](double z) { return z == 0; })) &&
      matchPattern(dequantize.getInput(), m_Constant());
  Array<int32_t> moved = untouched ? std::move(*codes) : move(operand);
  weights.shape = moved.shape;
  if (isWide) {
    weights.wide.assign(moved.values.begin(), moved.values.end());
    return weights;
  }
  weights.codes.assign(moved.values.begin(), moved.values.end());
  if (untouched) {
    weights.value = dequantize.getInput();
    return weights;
  }
  OpBuilder &builder = context.builder;
  HostTensor tensor(DType::I8, std::vector<int64_t>(weights.shape.begin(),
                                                    weights.shape.end()));
  std::copy(weights.codes.begin(), weights.codes.end(),
            tensor.mutableData<int8_t>());
  weights.value =
      makeConstant(builder, dequantize.getLoc(),
                   RankedTensorType::get(weights.shape, builder.getI8Type()),
                   "weights", std::move(tensor));
  return weights;
}

} // namespace qdialect
