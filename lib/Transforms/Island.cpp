// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds an island and its formula; see Island.h. The walk evaluates payloads
// symbolically: a sum of formulas, a product with a constant, a bound.

#include "Island.h"

#include "QDialect/Analysis/AxisInterpolation.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/SizeDivision.h"
#include "QDialect/IR/AttributeNames.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

double add(double a, double b) { return a + b; }
double multiply(double a, double b) { return a * b; }

/// Formulas of values, or a reason in `why`.
class Walker {
public:
  Walker(Island &island, bool dyadic, std::string &why)
      : island(island), dyadic(dyadic), why(why) {}

  /// The formula of a tensor read through `map`.
  std::optional<Formula> tensor(Value value, AffineMap map);

private:
  std::optional<Formula> scaled(Formula a, const Coefficient &factor);
  std::optional<Formula> fail(const llvm::Twine &reason) {
    if (why.empty())
      why = reason.str();
    return std::nullopt;
  }
  std::optional<Formula> leaf(Leaf leaf);
  std::optional<Formula> payload(Value scalar, linalg::GenericOp generic,
                                 AffineMap map);
  std::optional<Formula> sum(Formula a, Formula b);
  std::optional<Formula> product(Formula a, Formula b);
  std::optional<Formula> bounded(Formula a, Formula b, bool isMax);

  Island &island;
  bool dyadic;
  std::string &why;
};

std::optional<Formula> Walker::leaf(Leaf leaf) {
  unsigned number = island.leaves.size();
  for (auto [i, known] : llvm::enumerate(island.leaves))
    if (known.value == leaf.value && known.map == leaf.map &&
        known.grid == leaf.grid && known.zeroPoint == leaf.zeroPoint)
      number = i;
  if (number == island.leaves.size())
    island.leaves.push_back(leaf);
  Formula formula;
  formula.terms.push_back({{number}, Coefficient::scalar(1), {}});
  return formula;
}

std::optional<Formula> Walker::sum(Formula a, Formula b) {
  if (a.isConstant() && !a.isClamped())
    std::swap(a, b);
  if (b.isConstant() && !b.isClamped()) {
    if (a.slope)
      return fail("a constant is added to a leaky relu without a rounding");
    auto shift = [&](const Coefficient &c) {
      return combine(c, b.constant, add);
    };
    a.constant = shift(a.constant);
    if (a.lower)
      a.lower = shift(*a.lower);
    if (a.upper)
      a.upper = shift(*a.upper);
    return a;
  }
  if (a.isClamped() || b.isClamped())
    return fail("a sum of clamped values is not rounded in between");
  for (Term &term : b.terms) {
    auto same = llvm::find_if(a.terms, [&](Term &t) {
      return t.leaves == term.leaves && t.divisor == term.divisor;
    });
    if (same != a.terms.end())
      same->factor = combine(same->factor, term.factor, add);
    else
      a.terms.push_back(term);
  }
  a.constant = combine(a.constant, b.constant, add);
  return a;
}

std::optional<Formula> Walker::scaled(Formula a, const Coefficient &factor) {
  if (a.isClamped()) {
    bool positive = factor.allOf([](double f) { return f > 0; });
    bool negative = factor.allOf([](double f) { return f < 0; });
    if (!positive && !negative)
      return fail("a clamped value is scaled by factors of both signs");
    if (a.lower)
      a.lower = combine(*a.lower, factor, multiply);
    if (a.upper)
      a.upper = combine(*a.upper, factor, multiply);
    if (negative && a.slope)
      return fail("a leaky relu is scaled by a negative factor");
    if (negative)
      std::swap(a.lower, a.upper);
  }
  for (Term &term : a.terms)
    term.factor = combine(term.factor, factor, multiply);
  a.constant = combine(a.constant, factor, multiply);
  return a;
}

std::optional<Formula> Walker::product(Formula a, Formula b) {
  if (a.isConstant() && !a.isClamped())
    return scaled(std::move(b), a.constant);
  if (b.isConstant() && !b.isClamped())
    return scaled(std::move(a), b.constant);
  if (a.isClamped() || b.isClamped() || a.terms.size() != 1 ||
      b.terms.size() != 1 || !a.constant.isExactly(0) ||
      !b.constant.isExactly(0) || a.terms[0].divisor || b.terms[0].divisor)
    return fail("a product of sums is not rounded in between");
  Term term{a.terms[0].leaves,
            combine(a.terms[0].factor, b.terms[0].factor, multiply),
            {}};
  llvm::append_range(term.leaves, b.terms[0].leaves);
  llvm::sort(term.leaves);
  Formula formula;
  formula.terms.push_back(std::move(term));
  return formula;
}

std::optional<Formula> Walker::bounded(Formula a, Formula b, bool isMax) {
  if (a.isConstant() && !a.isClamped())
    std::swap(a, b);
  if (!b.isConstant() || b.isClamped())
    return fail("the larger or smaller of two tensors has no integer form");
  auto pick = [&](double x, double y) {
    return isMax ? std::fmax(x, y) : std::fmin(x, y);
  };
  // clamp(v, l, u) bounded by c is clamp(v, pick(l, c), pick(u, c)).
  std::optional<Coefficient> &same = isMax ? a.lower : a.upper;
  std::optional<Coefficient> &other = isMax ? a.upper : a.lower;
  same = same ? combine(*same, b.constant, pick) : b.constant;
  if (other)
    other = combine(*other, b.constant, pick);
  return a;
}

std::optional<Formula> Walker::payload(Value scalar, linalg::GenericOp generic,
                                       AffineMap map) {
  if (auto argument = dyn_cast<BlockArgument>(scalar);
      argument && argument.getOwner() == generic.getBlock()) {
    OpOperand *operand = generic.getMatchingOpOperand(argument);
    return tensor(operand->get(),
                  generic.getMatchingIndexingMap(operand).compose(map));
  }
  FloatAttr constant;
  if (matchPattern(scalar, m_Constant(&constant))) {
    Formula formula;
    formula.constant = Coefficient::scalar(constant.getValueAsDouble());
    return formula;
  }
  std::optional<NegativeSlope> leaky;
  if (dyadic && (leaky = matchNegativeSlope(scalar))) {
    std::optional<Formula> x = payload(leaky->argument, generic, map);
    if (!x)
      return std::nullopt;
    std::optional<Formula> slope = payload(leaky->slope, generic, map);
    if (!slope)
      return std::nullopt;
    if (x->isClamped() || !slope->isConstant() || slope->isClamped())
      return fail("a leaky relu of a clamped value has no integer form");
    x->slope = std::move(slope->constant);
    return x;
  }
  Operation *op = scalar.getDefiningOp();
  if (!op)
    return fail("its payload reads a value of the surrounding function");
  // Formulas of the operands, left before right so that messages are stable.
  auto binary = [&](auto rule) -> std::optional<Formula> {
    std::optional<Formula> a = payload(op->getOperand(0), generic, map);
    if (!a)
      return std::nullopt;
    std::optional<Formula> b = payload(op->getOperand(1), generic, map);
    if (!b)
      return std::nullopt;
    return rule(std::move(*a), std::move(*b));
  };
  return llvm::TypeSwitch<Operation *, std::optional<Formula>>(op)
      .Case([&](arith::AddFOp) {
        return binary([&](Formula a, Formula b) { return sum(a, b); });
      })
      .Case([&](arith::SubFOp) {
        return binary([&](Formula a, Formula b) -> std::optional<Formula> {
          std::optional<Formula> minus = scaled(b, Coefficient::scalar(-1));
          return minus ? sum(a, *minus) : std::nullopt;
        });
      })
      .Case([&](arith::MulFOp) {
        return binary([&](Formula a, Formula b) { return product(a, b); });
      })
      .Case([&](arith::DivFOp) {
        return binary([&](Formula a, Formula b) -> std::optional<Formula> {
          if (!b.isConstant() || b.isClamped() ||
              !b.constant.allOf([](double d) { return d != 0; }))
            return fail("a division by a tensor has no integer form");
          return scaled(a, b.constant.map([](double d) { return 1 / d; }));
        });
      })
      .Case([&](arith::NegFOp) -> std::optional<Formula> {
        std::optional<Formula> a = payload(op->getOperand(0), generic, map);
        return a ? scaled(*a, Coefficient::scalar(-1)) : std::nullopt;
      })
      .Case<arith::MaximumFOp, arith::MaxNumFOp>([&](auto) {
        return binary(
            [&](Formula a, Formula b) { return bounded(a, b, true); });
      })
      .Case<arith::MinimumFOp, arith::MinNumFOp>([&](auto) {
        return binary(
            [&](Formula a, Formula b) { return bounded(a, b, false); });
      })
      .Default([&](Operation *other) {
        return fail("'" + other->getName().getStringRef() +
                    "' is not rounded before it and is no affine function");
      });
}

std::optional<Formula> Walker::tensor(Value value, AffineMap map) {
  Operation *op = value.getDefiningOp();
  if (isRealConstant(value)) {
    std::optional<Coefficient> constant = Coefficient::read(value, map);
    if (!constant)
      return fail("a constant of it cannot be read");
    Formula formula;
    formula.constant = std::move(*constant);
    return formula;
  }
  if (!op)
    return fail("it reads an unquantized input");
  if (auto dequantize = dyn_cast<qd::DequantizeOp>(op)) {
    std::string reason;
    Leaf input{dequantize.getInput(), map, getGrid(dequantize, &reason),
               nullptr};
    Coefficient scale = Coefficient::scalar(1);
    if (input.grid) {
      input.zeroPoint = Coefficient::scalar(input.grid->zeroPoint);
    } else if (std::optional<IndexedGrid> indexed =
                   getIndexedGrid(dequantize, map)) {
      input.grid = indexed->codes;
      input.zeroPoint = std::move(indexed->zeroPoint);
      scale = std::move(indexed->scale);
    }
    if (!input.grid)
      return fail("an input is quantized, but " + reason);
    if (!input.grid->isInteger())
      return fail("an input has codes other than integers of 2 to 16 bits");
    return scaled(*leaf(input), scale);
  }
  if (dyadic && getAxisInterpolation(op)) {
    island.members.insert(op);
    return leaf({value, map, std::nullopt, op});
  }
  if (std::optional<SizeDivision> division = getSizeDivision(op)) {
    island.members.insert(op);
    auto generic = cast<linalg::GenericOp>(op);
    std::optional<Formula> a =
        tensor(division->dividend->get(),
               generic.getMatchingIndexingMap(division->dividend).compose(map));
    if (!a)
      return std::nullopt;
    if (a->isClamped() || a->terms.size() != 1 || a->terms[0].divisor ||
        !a->constant.isExactly(0))
      return fail("what is divided by a size is more than one sum");
    a->terms[0].divisor = division->size;
    return a;
  }
  if (isElementwiseGeneric(op)) {
    island.members.insert(op);
    auto generic = cast<linalg::GenericOp>(op);
    return payload(generic.getBlock()->getTerminator()->getOperand(0), generic,
                   map);
  }
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    // Which loop reads a dimension that the reshape dropped is not known.
    if (std::optional<AffineMap> inner = throughUnitReshape(op, map);
        inner && inner->isProjectedPermutation()) {
      island.members.insert(op);
      return tensor(op->getOperand(0), *inner);
    }
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
      linalgOp && (getContractionStructure(linalgOp) ||
                   getReductionKind(op) == ReductionKind::Sum)) {
    island.members.insert(op);
    return leaf({value, map, std::nullopt, op});
  }
  island.members.insert(op);
  return fail("'" + op->getName().getStringRef() + "' has no integer form");
}

} // namespace

bool matchIsland(qd::QuantizeOp quantize, bool dyadic, Island &island,
                 std::string &reason) {
  island.quantize = quantize;
  AffineMap identity =
      AffineMap::getMultiDimIdentityMap(island.rank(), quantize.getContext());
  std::optional<IndexedGrid> indexed;
  if (std::optional<CodeGrid> grid = getGrid(quantize, &reason)) {
    island.grid = *grid;
    island.zeroPoint = Coefficient::scalar(grid->zeroPoint);
  } else if ((indexed = getIndexedGrid(quantize, identity))) {
    island.grid = indexed->codes;
    island.zeroPoint = indexed->zeroPoint;
  } else {
    reason = "its result is quantized, but " + reason;
    return false;
  }
  reason.clear();
  if (!island.grid.isInteger()) {
    reason = "its result has codes other than integers of 2 to 16 bits";
    return false;
  }
  if (!roundsToNearest(quantize)) {
    reason = "its result is not rounded half to even and saturated";
    return false;
  }
  Walker walker(island, dyadic, reason);
  std::optional<Formula> formula = walker.tensor(quantize.getInput(), identity);
  if (!formula)
    return false;
  island.formula = std::move(*formula);
  if (indexed)
    island.formula.divide(indexed->scale);
  return true;
}

void Formula::divide(const Coefficient &steps) {
  auto inSteps = [&](Coefficient &real) {
    real = combine(real, steps, [](double v, double step) { return v / step; });
  };
  for (Term &term : terms)
    inSteps(term.factor);
  inSteps(constant);
  for (std::optional<Coefficient> *bound : {&lower, &upper})
    if (*bound)
      inSteps(**bound);
}

Operation *Island::nameSource() const {
  for (Operation *member : members)
    if (member->hasAttr(qd::kNameAttr))
      return member;
  return qd::QuantizeOp(quantize).getOperation();
}

/// The code of each real value.
Coefficient Island::encode(const Coefficient &real) const {
  return combine(real, zeroPoint, [&](double value, double zero) {
    CodeGrid one = grid;
    one.zeroPoint = static_cast<int32_t>(zero);
    return one.encode(value);
  });
}

std::optional<Coefficient> Island::lowerCodes() const {
  if (!formula.lower)
    return std::nullopt;
  Coefficient codes = encode(*formula.lower);
  // Seeded fault 30: the bound is off by one code.
  if constexpr (QDIALECT_MUTATE == 30)
    codes = codes.map([](double code) { return code + 1; });
  if (codes.allOf([&](double code) { return code <= grid.min; }))
    return std::nullopt;
  return codes;
}

std::optional<Coefficient> Island::upperCodes() const {
  if (!formula.upper)
    return std::nullopt;
  Coefficient codes = encode(*formula.upper);
  if (codes.allOf([&](double code) { return code >= grid.max; }))
    return std::nullopt;
  return codes;
}

} // namespace qdialect
