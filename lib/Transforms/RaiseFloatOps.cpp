// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recognises gelu, silu, softmax and norms by the normal form of their parts
//  (FloatExpression.h):
//
//   0.5 x + 0.5 x erf(0.707 x)                              gelu
//   x (1 + exp(-x))^-1                                      silu
//   exp(x - m) s^-1,  s = sum exp(x - m)                    softmax
//   g x v^(-1/2) - g/n s v^(-1/2) + b,  s = sum x           layer norm
//   g x (a s + b)^(-1/2),  s = sum x^2                      RMS norm
//
// Ops are tried from the last to the first, so the largest form wins; x is
// whichever tensor behind the op makes the form fit.

#include "FloatExpression.h"
#include "GreedyRewrite.h"
#include "OneHot.h"
#include "Permutations.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/NormalizePatterns.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"
#include <cmath>

#define DEBUG_TYPE "qd-raise-float-ops"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_RAISEFLOATOPSPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

using Kind = Atom::Kind;

/// How far back the parts of one function lie.
constexpr size_t kMaxSlice = 32;

/// The tensors behind `root`, nearest first, through what forms are read
/// through; `transcendental` says whether one of the functions is there.
SmallVector<Value> tensorsBehind(Value root, bool &transcendental) {
  llvm::SetVector<Value> seen;
  seen.insert(root);
  for (size_t i = 0; i < seen.size() && seen.size() < kMaxSlice; ++i) {
    Operation *op = seen[i].getDefiningOp();
    if (!op || !(isElementwiseGeneric(op) || getReductionKind(op) ||
                 isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)))
      continue;
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      for (Operation &inner : *generic.getBlock())
        transcendental |= isa<math::ErfOp, math::TanhOp, math::ExpOp,
                              math::SqrtOp, math::RsqrtOp, math::PowFOp>(inner);
    for (Value operand : op->getOperands())
      if (isa<RankedTensorType>(operand.getType()))
        seen.insert(operand);
  }
  return llvm::to_vector(llvm::drop_begin(seen));
}

/// One candidate: the form of `root` over `x`.
class Matcher {
public:
  Matcher(OpBuilder &builder, Value root, Value x, FloatExpression expression)
      : builder(builder), loc(root.getLoc()), root(root), x(x),
        e(std::move(expression)), X(*e.subject) {}

  /// The op that computes the same, or null.
  Value match() {
    for (auto rule : {&Matcher::gelu, &Matcher::silu, &Matcher::softmax,
                      &Matcher::layerNorm, &Matcher::rmsNorm})
      if (Value result = (this->*rule)())
        return result;
    return {};
  }

private:
  Value gelu();
  Value silu();
  Value softmax();
  Value layerNorm();
  Value rmsNorm();

  /// The polynomial has just these terms, nearly.
  static bool isForm(const Polynomial &p,
                     ArrayRef<std::pair<Monomial, double>> terms) {
    return p.terms.size() == terms.size() &&
           llvm::all_of(terms, [&](const auto &term) {
             return isNearly(p[term.first], term.second);
           });
  }
  bool isTimesX(const Polynomial &p, double factor) const {
    return isForm(p, {{{{X, 2}}, factor}});
  }
  /// Sum or maximum of x itself along `dims`.
  bool reducesX(const Atom &atom, Kind kind, ArrayRef<unsigned> dims) const {
    return atom.kind == kind && isTimesX(atom.argument, 1) &&
           ArrayRef<unsigned>(atom.dims) == dims;
  }
  bool isVariance(const Polynomial &p, unsigned sum, double count) const;
  /// The term g x v^(-1/2) of a norm: the group v and g, a tensor or a number.
  struct NormTerm {
    unsigned group = 0;
    std::optional<unsigned> gamma;
    double scale = 1;
  };
  std::optional<NormTerm> normTerm() const;
  /// The elements of a row along `dims`; 0 if their number is not known.
  double countAlong(ArrayRef<unsigned> dims, SmallVector<int64_t> &shape) const;
  std::optional<Value> rowParameter(unsigned atom, ArrayRef<unsigned> dims);
  Value filledRow(ArrayRef<int64_t> shape, double value);
  int64_t rank() const { return cast<RankedTensorType>(x.getType()).getRank(); }
  /// Emits a row function along `dims` through transposes if need be.
  Value alongRow(ArrayRef<unsigned> dims,
                 llvm::function_ref<Value(Value, int64_t)> emit);

  OpBuilder &builder;
  Location loc;
  Value root, x;
  FloatExpression e;
  unsigned X;
};

Value Matcher::gelu() {
  // c x + c x A
  if (e.form.terms.size() != 2 || !isNearly(e.form[{{X, 2}}], 0.5))
    return {};
  for (auto &[monomial, value] : e.form.terms) {
    if (monomial.size() != 2 || !isNearly(value, 0.5))
      continue;
    bool first = monomial[0].first == X;
    auto [own, ownPower] = monomial[first ? 0 : 1];
    auto [number, power] = monomial[first ? 1 : 0];
    if (own != X || ownPower != 2 || power != 2)
      return {};
    const Atom &function = e.atom(number);
    if (function.kind == Kind::Erf &&
        isTimesX(function.argument, 0.70710678118654752))
      return qd::GeluOp::create(
          builder, loc, x.getType(), x,
          qd::GeluApproximationAttr::get(builder.getContext(),
                                         qd::GeluApproximation::None));
    double k = 0.79788456080286536;
    if (function.kind == Kind::Tanh &&
        isForm(function.argument, {{{{X, 2}}, k}, {{{X, 6}}, k * 0.044715}}))
      return qd::GeluOp::create(
          builder, loc, x.getType(), x,
          qd::GeluApproximationAttr::get(builder.getContext(),
                                         qd::GeluApproximation::Tanh));
  }
  return {};
}

Value Matcher::silu() {
  if (e.form.terms.size() != 1)
    return {};
  auto &[monomial, value] = *e.form.terms.begin();
  if (monomial.size() != 2 || !isNearly(value, 1))
    return {};
  bool first = monomial[0].first == X;
  auto [own, ownPower] = monomial[first ? 0 : 1];
  auto [number, power] = monomial[first ? 1 : 0];
  if (own != X || ownPower != 2 || power != -2 ||
      e.atom(number).kind != Kind::Group)
    return {};
  const Polynomial &divisor = e.atom(number).argument;
  for (auto [exponential, atom] : llvm::enumerate(e.atoms))
    if (atom.kind == Kind::Exp && isTimesX(atom.argument, -1) &&
        isForm(divisor,
               {{{}, 1}, {{{static_cast<unsigned>(exponential), 2}}, 1}}))
      return qd::SiluOp::create(builder, loc, x.getType(), x);
  return {};
}

Value Matcher::softmax() {
  if (e.form.terms.size() != 1)
    return {};
  auto &[monomial, value] = *e.form.terms.begin();
  if (monomial.size() != 2 || !isNearly(value, 1))
    return {};
  bool first = monomial[0].second == 2;
  auto [exponential, power] = monomial[first ? 0 : 1];
  auto [sum, sumPower] = monomial[first ? 1 : 0];
  const Atom &numerator = e.atom(exponential), &divisor = e.atom(sum);
  if (power != 2 || sumPower != -2 || numerator.kind != Kind::Exp ||
      divisor.kind != Kind::Sum || divisor.dims.size() != 1 ||
      !isForm(divisor.argument, {{{{exponential, 2}}, 1}}))
    return {};
  bool matches = isTimesX(numerator.argument, 1);
  for (auto [max, atom] : llvm::enumerate(e.atoms))
    matches |= reducesX(atom, Kind::Max, divisor.dims) &&
               isForm(numerator.argument,
                      {{{{X, 2}}, 1}, {{{static_cast<unsigned>(max), 2}}, -1}});
  if (!matches)
    return {};
  return alongRow(divisor.dims, [&](Value rows, int64_t axis) -> Value {
    return qd::SoftmaxOp::create(builder, loc, rows.getType(), rows,
                                 static_cast<uint64_t>(axis));
  });
}

/// mean((x - s / n)^2), or mean(x^2) - (s / n)^2, possibly bounded by 0.
bool Matcher::isVariance(const Polynomial &p, unsigned sum,
                         double count) const {
  if (p.terms.size() == 1 && isNearly(p.terms.begin()->second, 1) &&
      p.terms.begin()->first.size() == 1) {
    auto [number, power] = p.terms.begin()->first[0];
    const Atom &atom = e.atom(number);
    if (power == 2 && atom.kind == Kind::AtLeast && atom.bound == 0)
      return isVariance(atom.argument, sum, count);
  }
  auto ordered = [](unsigned a, unsigned b) {
    Monomial product{{a, 2}, {b, 2}};
    llvm::sort(product);
    return product;
  };
  for (auto [number, atom] : llvm::enumerate(e.atoms)) {
    if (atom.kind != Kind::Sum || atom.dims != e.atom(sum).dims)
      continue;
    Monomial squares{{static_cast<unsigned>(number), 2}};
    if (isForm(atom.argument, {{{{X, 4}}, 1},
                               {ordered(X, sum), -2 / count},
                               {{{sum, 4}}, 1 / (count * count)}}) &&
        isForm(p, {{squares, 1 / count}}))
      return true;
    if (isForm(atom.argument, {{{{X, 4}}, 1}}) &&
        isForm(p, {{squares, 1 / count}, {{{sum, 4}}, -1 / (count * count)}}))
      return true;
  }
  return false;
}

/// A tensor that varies along `dims` alone, in their shape.
std::optional<Value> Matcher::rowParameter(unsigned number,
                                           ArrayRef<unsigned> dims) {
  const Atom &atom = e.atom(number);
  if (atom.kind != Kind::Tensor)
    return std::nullopt;
  auto type = cast<RankedTensorType>(x.getType());
  SmallVector<int64_t> shape;
  for (unsigned dim : dims)
    shape.push_back(type.getDimSize(dim));
  SmallVector<unsigned> walked;
  for (AffineExpr expr : atom.map.getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      walked.push_back(dim.getPosition());
  SmallVector<unsigned> wanted;
  for (unsigned dim : dims)
    if (type.getDimSize(dim) != 1)
      wanted.push_back(dim);
  auto own = cast<RankedTensorType>(atom.tensor.getType());
  if (walked != wanted || !own.hasStaticShape())
    return std::nullopt;
  if (own.getShape() == ArrayRef<int64_t>(shape))
    return atom.tensor;
  if (own.getRank() < static_cast<int64_t>(shape.size()))
    return std::nullopt;
  // Only dimensions of size 1 are too many.
  auto groups = getReassociationIndicesForCollapse(own.getShape(), shape);
  if (!groups)
    return std::nullopt;
  return tensor::CollapseShapeOp::create(builder, loc, atom.tensor, *groups);
}

Value Matcher::filledRow(ArrayRef<int64_t> shape, double value) {
  auto type = RankedTensorType::get(shape, builder.getF32Type());
  return arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(type, static_cast<float>(value)));
}

std::optional<Matcher::NormTerm> Matcher::normTerm() const {
  std::optional<unsigned> group, gamma;
  double scale = 0;
  for (auto &[monomial, value] : e.form.terms) {
    bool hasX = llvm::is_contained(monomial, std::pair(X, 2));
    if (!hasX || monomial.size() > 3)
      continue;
    scale = value;
    for (auto [number, power] : monomial) {
      if (e.atom(number).kind == Kind::Group && power == -1)
        group = number;
      else if (number != X && power == 2)
        gamma = number;
      else if (number != X)
        return std::nullopt;
    }
    if (monomial.size() != 1 + (group ? 1u : 0u) + (gamma ? 1u : 0u))
      return std::nullopt;
  }
  if (!group || (gamma && !isNearly(scale, 1)))
    return std::nullopt;
  return NormTerm{*group, gamma, scale};
}

double Matcher::countAlong(ArrayRef<unsigned> dims,
                           SmallVector<int64_t> &shape) const {
  auto type = cast<RankedTensorType>(x.getType());
  double count = 1;
  for (unsigned dim : dims) {
    if (type.isDynamicDim(dim))
      return 0;
    shape.push_back(type.getDimSize(dim));
    count *= shape.back();
  }
  return count;
}

Value Matcher::layerNorm() {
  std::optional<NormTerm> term = normTerm();
  if (!term || !getElementTypeOrSelf(x).isF32())
    return {};
  auto [group, gamma, scale] = *term;
  auto withGamma = [&, group = group, gamma = gamma](unsigned number) {
    Monomial product{{number, 2}, {group, -1}};
    if (gamma)
      product.push_back({*gamma, 2});
    llvm::sort(product);
    return product;
  };
  for (auto [sum, atom] : llvm::enumerate(e.atoms)) {
    if (!reducesX(atom, Kind::Sum, atom.dims))
      continue;
    SmallVector<unsigned> dims = atom.dims;
    SmallVector<int64_t> shape;
    double count = countAlong(dims, shape);
    auto sumNumber = static_cast<unsigned>(sum);
    if (count == 0 || !isNearly(e.form[withGamma(sumNumber)], -scale / count))
      continue;
    Polynomial variance = e.atom(group).argument;
    double epsilon = variance[Monomial()];
    variance.terms.erase(Monomial());
    if (!(epsilon > 0 && epsilon < 1) ||
        !isVariance(variance, sumNumber, count))
      continue;
    // What is left over is beta.
    Polynomial rest = e.form;
    rest.terms.erase(withGamma(X));
    rest.terms.erase(withGamma(sumNumber));
    std::optional<Value> gammaRow, betaRow;
    if (gamma && !(gammaRow = rowParameter(*gamma, dims)))
      continue;
    if (!rest.terms.empty()) {
      auto &[monomial, value] = *rest.terms.begin();
      if (rest.terms.size() > 1)
        continue;
      if (monomial.empty())
        betaRow = filledRow(shape, value);
      else if (monomial.size() == 1 && monomial[0].second == 2 &&
               isNearly(value, 1))
        betaRow = rowParameter(monomial[0].first, dims);
      if (!betaRow)
        continue;
    }
    if (!gammaRow)
      gammaRow = filledRow(shape, scale);
    return alongRow(dims, [&](Value rows, int64_t axis) -> Value {
      return qd::LayerNormOp::create(
          builder, loc, rows.getType(), rows, *gammaRow,
          betaRow.value_or(Value()), static_cast<uint64_t>(axis),
          llvm::APFloat(static_cast<float>(epsilon)));
    });
  }
  return {};
}

/// g x (a sum x^2 + b)^(-1/2): with n elements a row, the RMS norm of gain
/// g (a n)^(-1/2) and epsilon b / (a n), where a n is 1 for a mean.
Value Matcher::rmsNorm() {
  std::optional<NormTerm> term = normTerm();
  if (!term || e.form.terms.size() != 1 || !getElementTypeOrSelf(x).isF32())
    return {};
  const Polynomial &square = e.atom(term->group).argument;
  for (auto [number, atom] : llvm::enumerate(e.atoms)) {
    if (atom.kind != Kind::Sum || !isForm(atom.argument, {{{{X, 4}}, 1}}))
      continue;
    Monomial sum{{static_cast<unsigned>(number), 2}};
    SmallVector<unsigned> dims = atom.dims;
    SmallVector<int64_t> shape;
    double share = square[sum] * countAlong(dims, shape);
    if (isNearly(share, 1))
      share = 1;
    double epsilon = square[Monomial()] / share;
    if (square.terms.size() != 2 || !(share > 0) ||
        !(epsilon > 0 && epsilon < 1))
      continue;
    std::optional<Value> gain;
    if (!term->gamma)
      gain = filledRow(shape, term->scale / std::sqrt(share));
    else if (share == 1)
      gain = rowParameter(*term->gamma, dims);
    if (!gain)
      continue;
    return alongRow(dims, [&](Value rows, int64_t axis) -> Value {
      return qd::RmsNormOp::create(builder, loc, rows.getType(), rows, *gain,
                                   static_cast<uint64_t>(axis),
                                   llvm::APFloat(static_cast<float>(epsilon)));
    });
  }
  return {};
}

Value Matcher::alongRow(ArrayRef<unsigned> dims,
                        llvm::function_ref<Value(Value, int64_t)> emit) {
  Permutation order;
  for (int64_t dim = 0; dim < rank(); ++dim)
    if (!llvm::is_contained(dims, static_cast<unsigned>(dim)))
      order.push_back(dim);
  int64_t axis = order.size();
  order.append(dims.begin(), dims.end());
  if (llvm::is_sorted(order))
    return emit(x, axis);
  Value rows = permuteValue(builder, loc, x, order);
  return permuteValue(builder, loc, emit(rows, axis), invertPermutation(order));
}

struct RaiseFloatOpsPass : impl::RaiseFloatOpsPassBase<RaiseFloatOpsPass> {
  using RaiseFloatOpsPassBase::RaiseFloatOpsPassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal() || !function.getBody().hasOneBlock())
      return;
    // Pairs that undo each other would stand between the parts.
    RewritePatternSet patterns(&getContext());
    populateCancelTransposesPatterns(patterns);
    if (failed(applyPatternsBesideConstants(function, std::move(patterns))))
      return signalPassFailure();
    SmallVector<Operation *> roots;
    for (Block *block : programBlocksInnerFirst(function))
      for (Operation &op : llvm::reverse(*block))
        if (isElementwiseGeneric(&op))
          roots.push_back(&op);
    for (Operation *op : roots)
      raise(op);
    numRaised += raiseOneHotProducts(function);
    for (Block *block : programBlocksInnerFirst(function))
      for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*block)))
        if (isOpTriviallyDead(&op))
          op.erase();
  }

  void raise(Operation *op) {
    Value root = op->getResult(0);
    auto type = cast<RankedTensorType>(root.getType());
    // What a larger function took along is not wanted any more. The named
    // functions are sequences of f32 operations, too coarse for f64.
    if (op->use_empty() || !isa<FloatType>(type.getElementType()) ||
        type.getElementType().isF64())
      return;
    bool transcendental = false;
    SmallVector<Value> candidates = tensorsBehind(root, transcendental);
    if (!transcendental)
      return;
    OpBuilder builder(op);
    // From the farthest on: the more an op stands for the better.
    for (Value x : llvm::reverse(candidates)) {
      if (x.getType() != type)
        continue;
      FloatExpression expression = FloatExpression::read(root, x);
      if (!expression.subject)
        continue;
      Value result = Matcher(builder, root, x, std::move(expression)).match();
      if (!result)
        continue;
      copyAnnotations(op, result.getDefiningOp());
      root.replaceAllUsesWith(result);
      ++numRaised;
      return;
    }
  }
};

} // namespace
} // namespace qdialect
