// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads the normal form of a float computation; see the header.

#include "FloatExpression.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;

namespace qdialect {

/// Larger forms are no function that anybody wrote by hand.
static constexpr size_t kMaxTerms = 12;
static constexpr unsigned kMaxOps = 64;

bool isNearly(double value, double wanted) {
  return std::fabs(value - wanted) <= 1e-3 * std::fabs(wanted);
}

Polynomial Polynomial::constant(double value) {
  Polynomial result;
  if (value != 0)
    result.terms[{}] = value;
  return result;
}

Polynomial Polynomial::atom(unsigned number, int halves) {
  Polynomial result;
  result.terms[{{number, halves}}] = 1;
  return result;
}

std::optional<double> Polynomial::asConstant() const {
  if (terms.empty())
    return 0.0;
  if (terms.size() == 1 && terms.begin()->first.empty())
    return terms.begin()->second;
  return std::nullopt;
}

double Polynomial::operator[](const Monomial &monomial) const {
  auto found = terms.find(monomial);
  return found == terms.end() ? 0 : found->second;
}

namespace {

using Result = std::optional<Polynomial>;

/// Terms that cancel but for the rounding of their constants are gone.
void addTerm(Polynomial &sum, const Monomial &monomial, double value) {
  double &place = sum.terms[monomial];
  double magnitude = std::fabs(place) + std::fabs(value);
  place += value;
  if (std::fabs(place) <= 1e-6 * magnitude)
    sum.terms.erase(monomial);
}

Result add(Polynomial a, const Polynomial &b, double factor = 1) {
  for (auto &[monomial, value] : b.terms)
    addTerm(a, monomial, value * factor);
  if (a.terms.size() > kMaxTerms)
    return std::nullopt;
  return a;
}

Result multiply(const Polynomial &a, const Polynomial &b) {
  Polynomial product;
  for (auto &[left, x] : a.terms)
    for (auto &[right, y] : b.terms) {
      std::map<unsigned, int> powers(left.begin(), left.end());
      for (auto [atom, halves] : right)
        powers[atom] += halves;
      Monomial monomial;
      for (auto [atom, halves] : powers)
        if (halves != 0)
          monomial.push_back({atom, halves});
      addTerm(product, monomial, x * y);
    }
  if (product.terms.size() > kMaxTerms)
    return std::nullopt;
  return product;
}

bool isSame(const Polynomial &a, const Polynomial &b) {
  return a.terms.size() == b.terms.size() &&
         llvm::all_of(a.terms, [&](const auto &term) {
           return std::fabs(b[term.first] - term.second) <=
                  1e-6 * std::fabs(term.second);
         });
}

bool isSame(const Atom &a, const Atom &b) {
  return a.kind == b.kind && a.tensor == b.tensor && a.map == b.map &&
         a.bound == b.bound && a.dims == b.dims &&
         isSame(a.argument, b.argument);
}

} // namespace

class FloatExpression::Reader {
public:
  Reader(FloatExpression &expression, Value cut)
      : expression(expression), cut(cut) {}

  Polynomial tensor(Value value, AffineMap map);
  unsigned numberOf(Atom atom);
  static AffineMap normalized(Value value, AffineMap map);

private:
  Polynomial leaf(Value value, AffineMap map);
  Result payload(Value scalar, linalg::GenericOp generic, AffineMap map);
  Result scalarOp(Operation *op, linalg::GenericOp generic, AffineMap map);
  Result reduction(linalg::GenericOp op, ReductionKind kind, AffineMap map);
  Result apply(Atom::Kind kind, Polynomial argument);
  Result power(Polynomial base, double exponent);
  Result atLeast(Polynomial value, double bound);

  FloatExpression &expression;
  Value cut;
  SmallVector<int64_t> shape; ///< of the root
  unsigned visited = 0;

  friend class FloatExpression;
};

/// Dimensions of size 1 have one index, however it is written.
AffineMap FloatExpression::Reader::normalized(Value value, AffineMap map) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<AffineExpr> results;
  for (auto [dim, expr] : llvm::enumerate(map.getResults()))
    results.push_back(type.getDimSize(dim) == 1
                          ? getAffineConstantExpr(0, map.getContext())
                          : expr);
  return AffineMap::get(map.getNumDims(), 0, results, map.getContext());
}

unsigned FloatExpression::Reader::numberOf(Atom atom) {
  for (auto [number, known] : llvm::enumerate(expression.atoms))
    if (isSame(known, atom))
      return number;
  expression.atoms.push_back(std::move(atom));
  return expression.atoms.size() - 1;
}

Polynomial FloatExpression::Reader::leaf(Value value, AffineMap map) {
  Atom atom;
  atom.tensor = value;
  atom.map = normalized(value, map);
  return Polynomial::atom(numberOf(std::move(atom)));
}

Result FloatExpression::Reader::apply(Atom::Kind kind, Polynomial argument) {
  Atom atom;
  atom.kind = kind;
  atom.argument = std::move(argument);
  return Polynomial::atom(numberOf(std::move(atom)));
}

Result FloatExpression::Reader::power(Polynomial base, double exponent) {
  double halves = 2 * exponent;
  if (halves != std::nearbyint(halves) || std::fabs(halves) > 8)
    return std::nullopt;
  if (std::optional<double> constant = base.asConstant())
    return Polynomial::constant(std::pow(*constant, exponent));
  bool isWhole = exponent == std::nearbyint(exponent);
  if (isWhole && exponent > 0) {
    Polynomial product = base;
    for (int i = 1; i < exponent; ++i) {
      Result next = multiply(product, base);
      if (!next)
        return std::nullopt;
      product = std::move(*next);
    }
    return product;
  }
  // One term has the power factor by factor; a root of it may hide a sign,
  // unless all of it is a root already.
  if (base.terms.size() == 1 && isWhole) {
    auto &[monomial, value] = *base.terms.begin();
    Polynomial result;
    Monomial powers = monomial;
    for (auto &[atom, count] : powers)
      count *= static_cast<int>(exponent);
    result.terms[powers] = std::pow(value, exponent);
    return result;
  }
  Atom atom;
  atom.kind = Atom::Kind::Group;
  atom.argument = std::move(base);
  return Polynomial::atom(numberOf(std::move(atom)), static_cast<int>(halves));
}

Result FloatExpression::Reader::atLeast(Polynomial value, double bound) {
  if (bound <= -std::numeric_limits<float>::max())
    return value;
  Atom atom;
  atom.kind = Atom::Kind::AtLeast;
  atom.bound = bound;
  atom.argument = std::move(value);
  return Polynomial::atom(numberOf(std::move(atom)));
}

Result FloatExpression::Reader::scalarOp(Operation *op,
                                         linalg::GenericOp generic,
                                         AffineMap map) {
  auto operand = [&](unsigned i) {
    return payload(op->getOperand(i), generic, map);
  };
  auto binary = [&](auto rule) -> Result {
    Result a = operand(0), b = operand(1);
    if (!a || !b)
      return std::nullopt;
    return rule(std::move(*a), std::move(*b));
  };
  auto unary = [&](auto rule) -> Result {
    Result a = operand(0);
    if (!a)
      return std::nullopt;
    return rule(std::move(*a));
  };
  auto function = [&](Atom::Kind kind) {
    return unary([&](Polynomial a) { return apply(kind, std::move(a)); });
  };
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](arith::AddFOp) {
        return binary([&](Polynomial a, Polynomial b) { return add(a, b); });
      })
      .Case([&](arith::SubFOp) {
        return binary(
            [&](Polynomial a, Polynomial b) { return add(a, b, -1); });
      })
      .Case([&](arith::NegFOp) {
        return unary([&](Polynomial a) { return add({}, a, -1); });
      })
      .Case([&](arith::MulFOp) {
        return binary(
            [&](Polynomial a, Polynomial b) { return multiply(a, b); });
      })
      .Case([&](arith::DivFOp) {
        return binary([&](Polynomial a, Polynomial b) -> Result {
          Result inverse = power(std::move(b), -1);
          return inverse ? multiply(a, *inverse) : std::nullopt;
        });
      })
      .Case([&](math::SqrtOp) {
        return unary([&](Polynomial a) { return power(std::move(a), 0.5); });
      })
      .Case([&](math::RsqrtOp) {
        return unary([&](Polynomial a) { return power(std::move(a), -0.5); });
      })
      .Case([&](math::PowFOp) {
        return binary([&](Polynomial a, Polynomial b) -> Result {
          std::optional<double> exponent = b.asConstant();
          return exponent ? power(std::move(a), *exponent) : std::nullopt;
        });
      })
      .Case([&](math::ExpOp) { return function(Atom::Kind::Exp); })
      .Case([&](math::ErfOp) { return function(Atom::Kind::Erf); })
      .Case([&](math::TanhOp) { return function(Atom::Kind::Tanh); })
      .Case<arith::MaximumFOp, arith::MaxNumFOp>([&](auto) {
        return binary([&](Polynomial a, Polynomial b) -> Result {
          if (a.asConstant())
            std::swap(a, b);
          std::optional<double> bound = b.asConstant();
          return bound ? atLeast(std::move(a), *bound) : std::nullopt;
        });
      })
      .Default([](Operation *) { return std::nullopt; });
}

Result FloatExpression::Reader::payload(Value scalar, linalg::GenericOp generic,
                                        AffineMap map) {
  if (auto argument = dyn_cast<BlockArgument>(scalar);
      argument && argument.getOwner() == generic.getBlock()) {
    OpOperand *operand = generic.getMatchingOpOperand(argument);
    return tensor(operand->get(),
                  generic.getMatchingIndexingMap(operand).compose(map));
  }
  FloatAttr constant;
  if (matchPattern(scalar, m_Constant(&constant)))
    return Polynomial::constant(constant.getValueAsDouble());
  Operation *op = scalar.getDefiningOp();
  if (!op || op->getNumResults() != 1)
    return std::nullopt;
  return scalarOp(op, generic, map);
}

/// The reduced loops run along dimensions of the root that the result does not
/// depend on: x - sum(x) reads its row.
Result FloatExpression::Reader::reduction(linalg::GenericOp op,
                                          ReductionKind kind, AffineMap map) {
  MLIRContext *context = map.getContext();
  AffineMap input = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!input.isProjectedPermutation() || !output.isProjectedPermutation())
    return std::nullopt;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  SmallVector<AffineExpr> ofLoop(op.getNumLoops());
  llvm::SmallBitVector used(shape.size());
  for (auto [dim, expr] : llvm::enumerate(output.getResults())) {
    AffineExpr at = map.getResult(dim);
    ofLoop[cast<AffineDimExpr>(expr).getPosition()] = at;
    if (auto position = dyn_cast<AffineDimExpr>(at))
      used.set(position.getPosition());
  }
  Atom atom;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  for (auto [loop, iterator] : llvm::enumerate(iterators)) {
    if (iterator != utils::IteratorType::reduction)
      continue;
    auto fits = [&, size = sizes[loop]](size_t dim) {
      return dim < shape.size() && !used.test(dim) && shape[dim] == size &&
             size != 1;
    };
    size_t dim = fits(loop) ? loop : 0;
    while (dim < shape.size() && !fits(dim))
      ++dim;
    if (dim == shape.size())
      return std::nullopt;
    used.set(dim);
    atom.dims.push_back(dim);
    ofLoop[loop] = getAffineDimExpr(dim, context);
  }
  llvm::sort(atom.dims);
  SmallVector<AffineExpr> results;
  for (AffineExpr expr : input.getResults())
    results.push_back(ofLoop[cast<AffineDimExpr>(expr).getPosition()]);
  Polynomial argument =
      tensor(op.getDpsInputs()[0],
             AffineMap::get(map.getNumDims(), 0, results, context));
  atom.kind = kind == ReductionKind::Sum ? Atom::Kind::Sum : Atom::Kind::Max;
  atom.argument = std::move(argument);
  return Polynomial::atom(numberOf(std::move(atom)));
}

/// Does a reduction start from what changes nothing?
static bool startsNeutral(linalg::GenericOp op, ReductionKind kind) {
  std::optional<Attribute> init = getSplatValue(op.getDpsInits()[0]);
  auto value = init ? dyn_cast<FloatAttr>(*init) : FloatAttr();
  if (!value)
    return false;
  return kind == ReductionKind::Sum ? value.getValue().isZero()
                                    : value.getValue().isNegative() &&
                                          (value.getValue().isInfinity() ||
                                           value.getValue().isLargest());
}

Polynomial FloatExpression::Reader::tensor(Value value, AffineMap map) {
  if (value == cut || ++visited > kMaxOps)
    return leaf(value, map);
  Operation *op = value.getDefiningOp();
  if (!op)
    return leaf(value, map);
  if (std::optional<ConstantView> view = constantView(value)) {
    if ((view->splat || view->numElements() == 1) &&
        isa<FloatType>(getElementTypeOrSelf(value)))
      return Polynomial::constant(view->number(0));
    return leaf(value, map);
  }
  Result result;
  auto generic = dyn_cast<linalg::GenericOp>(op);
  std::optional<ReductionKind> kind = getReductionKind(op);
  if (isElementwiseGeneric(op))
    result = payload(generic.getBlock()->getTerminator()->getOperand(0),
                     generic, map);
  else if (generic && kind && *kind != ReductionKind::Min &&
           generic.getNumDpsInputs() == 1 && startsNeutral(generic, *kind))
    result = reduction(generic, *kind, map);
  else if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    if (std::optional<AffineMap> source = throughUnitReshape(op, map))
      result = tensor(op->getOperand(0), *source);
  // What no rule covers is a tensor as good as any.
  return result ? std::move(*result) : leaf(value, map);
}

FloatExpression FloatExpression::read(Value root, Value cut) {
  FloatExpression expression;
  Reader reader(expression, cut);
  auto type = cast<RankedTensorType>(root.getType());
  reader.shape = llvm::to_vector(type.getShape());
  AffineMap identity =
      AffineMap::getMultiDimIdentityMap(type.getRank(), root.getContext());
  if (cast<RankedTensorType>(cut.getType()).getShape() == type.getShape()) {
    Atom subject;
    subject.tensor = cut;
    subject.map = Reader::normalized(cut, identity);
    expression.subject = reader.numberOf(std::move(subject));
  }
  expression.form = reader.tensor(root, identity);
  return expression;
}

} // namespace qdialect
