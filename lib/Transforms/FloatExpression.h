// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Float computations over several ops in a normal form: polynomials of atoms,
// where an atom is a tensor, or a function or a reduction of a polynomial.
//
//   x * 0.5 * (1 + erf(x / 1.414))   ->   0.5 x + 0.5 x A,  A = erf(0.707 x)
//
// Two programs that differ in the order of operands, in how factors are grouped
// or in division for multiplication have the same form. It is the exact algebra
// of real numbers: whoever replaces a program by another with the same form
// changes its roundings.

#ifndef QDIALECT_LIB_TRANSFORMS_FLOATEXPRESSION_H
#define QDIALECT_LIB_TRANSFORMS_FLOATEXPRESSION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/AffineMap.h"
#include "llvm/ADT/SmallVector.h"
#include <map>
#include <optional>
#include <vector>

namespace qdialect {

/// Numbers that exporters write with more or fewer digits.
bool isNearly(double value, double wanted);

/// Atom numbers and their powers in halves (2 is x, -1 is 1 / sqrt x), sorted.
using Monomial = std::vector<std::pair<unsigned, int>>;

struct Polynomial {
  std::map<Monomial, double> terms;

  static Polynomial constant(double value);
  static Polynomial atom(unsigned number, int halves = 2);
  std::optional<double> asConstant() const;
  /// The coefficient of a monomial; 0 if it is not there.
  double operator[](const Monomial &monomial) const;
};

struct Atom {
  enum class Kind {
    Tensor,  ///< an element of `tensor`, at `map` of the result's dimensions
    Group,   ///< a polynomial of several terms that has a power
    AtLeast, ///< max(argument, bound)
    Exp,
    Erf,
    Tanh,
    Sum, ///< of the argument along `dims` of the result
    Max  ///< likewise
  } kind = Kind::Tensor;
  mlir::Value tensor;
  mlir::AffineMap map;
  Polynomial argument;
  double bound = 0;
  llvm::SmallVector<unsigned> dims;
};

/// The expression of one tensor, down to `cut` and what no rule covers or would
/// grow too large, which are atoms.
class FloatExpression {
public:
  static FloatExpression read(mlir::Value root, mlir::Value cut);

  Polynomial form;
  std::vector<Atom> atoms;
  /// The atom of `cut` at the root's own position, if it occurs.
  std::optional<unsigned> subject;

  const Atom &atom(unsigned number) const { return atoms[number]; }

private:
  class Reader;
};

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_FLOATEXPRESSION_H
