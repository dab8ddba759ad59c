// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scalar operations as operators; reads at computed places as Gather.

#include "Export/Payload.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect::onnx_export {
namespace {

/// The operators that take the operands as they are; "" for anything else.
StringRef plainOperator(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<arith::AddFOp, arith::AddIOp>([](auto) { return "Add"; })
      .Case<arith::SubFOp, arith::SubIOp>([](auto) { return "Sub"; })
      .Case<arith::MulFOp, arith::MulIOp>([](auto) { return "Mul"; })
      .Case<arith::DivFOp>([](auto) { return "Div"; })
      .Case<arith::NegFOp>([](auto) { return "Neg"; })
      .Case<arith::SelectOp>([](auto) { return "Where"; })
      .Case<math::AbsFOp, math::AbsIOp>([](auto) { return "Abs"; })
      .Case<math::ExpOp>([](auto) { return "Exp"; })
      .Case<math::LogOp>([](auto) { return "Log"; })
      .Case<math::SqrtOp>([](auto) { return "Sqrt"; })
      .Case<math::TanhOp>([](auto) { return "Tanh"; })
      .Case<math::ErfOp>([](auto) { return "Erf"; })
      .Case<math::SinOp>([](auto) { return "Sin"; })
      .Case<math::CosOp>([](auto) { return "Cos"; })
      .Case<math::FloorOp>([](auto) { return "Floor"; })
      .Case<math::CeilOp>([](auto) { return "Ceil"; })
      .Case<math::RoundEvenOp>([](auto) { return "Round"; })
      .Case<math::PowFOp>([](auto) { return "Pow"; })
      .Case<arith::AndIOp>([](auto op) {
        return op.getType().isInteger(1) ? "And" : "BitwiseAnd";
      })
      .Case<arith::OrIOp>([](auto op) {
        return op.getType().isInteger(1) ? "Or" : "BitwiseOr";
      })
      .Case<arith::XOrIOp>([](auto op) {
        return op.getType().isInteger(1) ? "Xor" : "BitwiseXor";
      })
      .Default([](auto) { return ""; });
}

/// Conversions that Cast does alike: exact ones, to floats, and of floats to
/// integers wherever both are defined.
bool isCast(Operation *op) {
  // Codes seen as codes of the other sign: Cast keeps the low bits.
  if (isa<qd::StorageCastOp>(op))
    return qd::isIntegerAlphabet(op->getOperand(0).getType()) &&
           qd::isIntegerAlphabet(op->getResult(0).getType());
  return isa<arith::ExtFOp, arith::TruncFOp, arith::ExtSIOp, arith::TruncIOp,
             arith::SIToFPOp, arith::FPToSIOp, arith::IndexCastOp,
             arith::ExtUIOp, arith::UIToFPOp>(op);
}

bool isOne(Value value) { return matchPattern(value, m_OneFloat()); }

/// x of 1 / (1 + exp(-x)).
Value matchSigmoid(Operation *op) {
  auto divide = dyn_cast<arith::DivFOp>(op);
  auto sum = divide && isOne(divide.getLhs())
                 ? divide.getRhs().getDefiningOp<arith::AddFOp>()
                 : nullptr;
  if (!sum || !(isOne(sum.getLhs()) || isOne(sum.getRhs())))
    return {};
  Value other = isOne(sum.getLhs()) ? sum.getRhs() : sum.getLhs();
  auto exp = other.getDefiningOp<math::ExpOp>();
  auto minus =
      exp ? exp.getOperand().getDefiningOp<arith::NegFOp>() : arith::NegFOp();
  return minus ? minus.getOperand() : Value();
}

/// The operand that is no constant, if the other one is.
Value besideConstant(Operation *op, TypedAttr &constant) {
  for (unsigned side : {0u, 1u}) {
    Attribute found;
    if (matchPattern(op->getOperand(side), m_Constant(&found))) {
      constant = dyn_cast<TypedAttr>(found);
      return constant ? op->getOperand(1 - side) : Value();
    }
  }
  return {};
}

} // namespace

PayloadWriter::PayloadWriter(Exporter &e, linalg::GenericOp op, Order loops)
    : e(e), op(op), loops(std::move(loops)), covered(this->loops.size()) {}

void PayloadWriter::cover(size_t rank, const llvm::SmallBitVector &mask) {
  coveredRank = std::max(coveredRank, rank);
  covered |= mask;
}

std::string PayloadWriter::argument(BlockArgument argument) {
  OpOperand *operand = op.getMatchingOpOperand(argument);
  AffineMap map = op.getMatchingIndexingMap(operand);
  auto type = dyn_cast<RankedTensorType>(operand->get().getType());
  if (!type) {
    e.refuse(op) << "it reads a scalar operand";
    return "";
  }
  Layout layout;
  llvm::SmallBitVector mask(loops.size());
  size_t found = 0;
  for (auto [place, loop] : llvm::enumerate(loops)) {
    layout.push_back({});
    for (auto [dim, expr] : llvm::enumerate(map.getResults()))
      if (expr.isFunctionOfDim(loop)) {
        layout.back().push_back(static_cast<int64_t>(dim));
        mask.set(place);
        ++found;
      }
  }
  if (found != map.getNumResults()) {
    e.refuse(op) << "a place it reads at varies along the row that it reads";
    return "";
  }
  while (!layout.empty() && layout.front().empty())
    layout.erase(layout.begin());
  cover(layout.size(), mask);
  return e.use(operand->get(), layout);
}

std::string PayloadWriter::position(linalg::IndexOp index) {
  auto loop = static_cast<int64_t>(index.getDim());
  int64_t size = op.getStaticLoopRanges()[loop];
  size_t place = llvm::find(loops, loop) - loops.begin();
  if (ShapedType::isDynamic(size) || place == loops.size()) {
    e.refuse(op) << "it computes with the position along a symbolic dimension";
    return "";
  }
  std::vector<int64_t> numbers(size), shape(loops.size() - place, 1);
  for (int64_t i = 0; i < size; ++i)
    numbers[i] = i;
  shape[0] = size;
  llvm::SmallBitVector mask(loops.size());
  mask.set(place);
  cover(shape.size(), mask);
  return e.constant(HostTensor::of(DType::I64, shape, numbers),
                    IntegerType::get(op.getContext(), 64), "positions");
}

std::optional<std::string> PayloadWriter::gather(tensor::ExtractOp read) {
  std::optional<int64_t> axis;
  Order before, after;
  for (auto [dim, index] : llvm::enumerate(read.getIndices())) {
    if (auto loop = index.getDefiningOp<linalg::IndexOp>())
      (axis ? after : before).push_back(static_cast<int64_t>(loop.getDim()));
    else if (axis)
      return std::nullopt;
    else
      axis = static_cast<int64_t>(dim);
  }
  if (!axis)
    return std::nullopt;
  Order places;
  for (int64_t loop : loops)
    if (!llvm::is_contained(before, loop) && !llvm::is_contained(after, loop))
      places.push_back(loop);
  Order all = before;
  llvm::append_range(all, places);
  llvm::append_range(all, after);
  auto table = cast<RankedTensorType>(read.getTensor().getType());
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  if (all != loops)
    return std::nullopt;
  // The rows must be read whole.
  for (auto [dim, index] : llvm::enumerate(read.getIndices()))
    if (auto loop = index.getDefiningOp<linalg::IndexOp>())
      if (table.getDimSize(dim) != sizes[loop.getDim()])
        return std::nullopt;
  PayloadWriter inner(e, op, places);
  std::string at = inner.getWhole(read.getIndices()[*axis]);
  std::string rows = e.use(read.getTensor());
  if (at.empty() || rows.empty())
    return "";
  return e.node("Gather", {rows, at}, {{"axis", *axis}}, op->getResult(0));
}

std::string PayloadWriter::extract(tensor::ExtractOp read) {
  std::optional<std::string> rows = gather(read);
  llvm::SmallBitVector all(loops.size(), true);
  cover(loops.size(), all);
  if (rows)
    return *rows;
  SmallVector<std::string> places;
  for (Value index : read.getIndices()) {
    places.push_back(PayloadWriter(e, op, loops).getWhole(index));
    if (places.back().empty())
      return "";
    places.back() = e.node("Unsqueeze", {places.back(), e.integers({-1})});
  }
  std::string table = e.use(read.getTensor());
  if (table.empty())
    return "";
  return e.node("GatherND",
                {table, e.node("Concat", places, {{"axis", int64_t(-1)}})}, {},
                op->getResult(0));
}

std::string PayloadWriter::node(StringRef kind, ValueRange operands,
                                Operation *scalar) {
  SmallVector<std::string> inputs;
  for (Value operand : operands) {
    inputs.push_back(get(operand));
    if (inputs.back().empty())
      return "";
  }
  return e.node(kind, inputs, {}, op->getResult(0));
}

std::string PayloadWriter::compare(Operation *scalar) {
  StringRef kind;
  bool negated = false;
  if (auto floats = dyn_cast<arith::CmpFOp>(scalar)) {
    using P = arith::CmpFPredicate;
    if (floats.getPredicate() == P::UNO && floats.getLhs() == floats.getRhs())
      return node("IsNaN", floats.getLhs(), scalar);
    kind = floats.getPredicate() == P::OEQ   ? "Equal"
           : floats.getPredicate() == P::UNE ? "Equal"
           : floats.getPredicate() == P::OGT ? "Greater"
           : floats.getPredicate() == P::OGE ? "GreaterOrEqual"
           : floats.getPredicate() == P::OLT ? "Less"
           : floats.getPredicate() == P::OLE ? "LessOrEqual"
                                             : "";
    negated = floats.getPredicate() == P::UNE;
  } else {
    using P = arith::CmpIPredicate;
    P predicate = cast<arith::CmpIOp>(scalar).getPredicate();
    kind = predicate == P::eq    ? "Equal"
           : predicate == P::ne  ? "Equal"
           : predicate == P::sgt ? "Greater"
           : predicate == P::sge ? "GreaterOrEqual"
           : predicate == P::slt ? "Less"
           : predicate == P::sle ? "LessOrEqual"
                                 : "";
    negated = predicate == P::ne;
  }
  if (kind.empty()) {
    e.refuse(op) << "no operator compares like "
                 << scalar->getAttrOfType<IntegerAttr>("predicate");
    return "";
  }
  std::string test = node(kind, scalar->getOperands(), scalar);
  return negated && !test.empty() ? e.node("Not", {test}) : test;
}

/// max(x, 0) is Relu, min(max(x, low), high) Clip.
std::string PayloadWriter::clamp(Operation *scalar, StringRef kind) {
  TypedAttr bound, low;
  Value x = besideConstant(scalar, bound);
  if (!x)
    return node(kind, scalar->getOperands(), scalar);
  if (kind == "Max") {
    if (matchPattern(bound, m_AnyZeroFloat()))
      return node("Relu", x, scalar);
    return node(kind, scalar->getOperands(), scalar);
  }
  Operation *inner = x.getDefiningOp();
  Value source = isa_and_nonnull<arith::MaximumFOp, arith::MaxSIOp>(inner)
                     ? besideConstant(inner, low)
                     : Value();
  if (!source)
    return node(kind, scalar->getOperands(), scalar);
  std::string name = get(source);
  return name.empty() ? name
                      : e.node("Clip", {name, e.scalar(low), e.scalar(bound)},
                               {}, op->getResult(0));
}

std::string PayloadWriter::write(Operation *scalar) {
  if (Value standIn = e.absorbedBy(scalar))
    return get(standIn);
  if (auto index = dyn_cast<linalg::IndexOp>(scalar))
    return position(index);
  if (auto read = dyn_cast<tensor::ExtractOp>(scalar))
    return extract(read);
  if (Value x = matchSigmoid(scalar))
    return node("Sigmoid", x, scalar);
  if (isa<arith::MaximumFOp, arith::MaxSIOp>(scalar))
    return clamp(scalar, "Max");
  if (isa<arith::MinimumFOp, arith::MinSIOp>(scalar))
    return clamp(scalar, "Min");
  if (isa<arith::CmpFOp, arith::CmpIOp>(scalar))
    return compare(scalar);
  if (isa<math::RsqrtOp>(scalar)) {
    std::string root = node("Sqrt", scalar->getOperands(), scalar);
    return root.empty() ? root : e.node("Reciprocal", {root});
  }
  if (isCast(scalar)) {
    std::string x = get(scalar->getOperand(0));
    Type to = scalar->getResult(0).getType();
    if (to.isIndex())
      to = IntegerType::get(op.getContext(), 64);
    if (x.empty())
      return x;
    // Bits that count as an unsigned number are one first.
    auto from = dyn_cast<IntegerType>(scalar->getOperand(0).getType());
    Type number = from && !from.isInteger(1) &&
                          isa<arith::ExtUIOp, arith::UIToFPOp>(scalar)
                      ? qd::UIntType::get(op.getContext(), from.getWidth())
                      : Type();
    if (number && hasDataType(number))
      x = e.convert(x, number);
    if (hasDataType(to) && (!number || hasDataType(number)))
      return e.convert(x, to);
  }
  if (StringRef kind = plainOperator(scalar); !kind.empty())
    return node(kind, scalar->getOperands(), scalar);
  e.refuse(op) << "no operator computes '" << scalar->getName() << "'";
  return "";
}

std::string PayloadWriter::get(Value value) {
  auto found = known.find(value);
  if (found != known.end())
    return found->second;
  std::string name;
  Attribute constant;
  if (matchPattern(value, m_Constant(&constant)) && isa<TypedAttr>(constant)) {
    name = e.scalar(cast<TypedAttr>(constant));
    if (name.empty())
      e.refuse(op) << "there is no type for " << value.getType();
  } else if (auto argument = dyn_cast<BlockArgument>(value);
             argument && argument.getOwner() == op.getBody()) {
    name = this->argument(argument);
  } else if (Operation *scalar = value.getDefiningOp();
             scalar && scalar->getBlock() == op.getBody()) {
    name = write(scalar);
  } else if (value.getType().isIndex()) {
    name = e.size(value);
  } else {
    e.refuse(op) << "its payload reads a scalar from outside";
  }
  return known[value] = name;
}

std::string PayloadWriter::getWhole(Value value) {
  std::string name = get(value);
  if (name.empty())
    return name;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  bool isWhole = coveredRank == loops.size();
  for (auto [place, loop] : llvm::enumerate(loops))
    isWhole &= covered.test(place) || sizes[loop] == 1;
  if (isWhole)
    return name;
  auto init = op.getDpsInits()[0].getDefiningOp<tensor::EmptyOp>();
  SmallVector<OpFoldResult> shape;
  for (int64_t loop : loops) {
    if (!ShapedType::isDynamic(sizes[loop])) {
      shape.push_back(Builder(op).getIndexAttr(sizes[loop]));
    } else if (init) {
      shape.push_back(init.getMixedSizes()[loop]);
    } else {
      e.refuse(op) << "its sizes are not known";
      return "";
    }
  }
  std::string wanted = e.sizes(shape, /*inferOne=*/false);
  return wanted.empty()
             ? wanted
             : e.node("Expand", {name, wanted}, {}, op->getResult(0));
}

} // namespace qdialect::onnx_export
