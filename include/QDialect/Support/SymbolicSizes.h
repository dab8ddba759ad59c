// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes of tensors that are known only when the program runs. A size is an
// int64_t, as everywhere in MLIR: a number, or, like ShapedType::kDynamic, a
// negative value that is no number: a handle of an expression over symbols
// ("batch", "seq"). Expressions are polynomials over symbols and floor
// divisions, maxima and minima of polynomials, in a normal form, so that equal
// handles mean equal sizes:
//
//   symbol "seq"      mul(seq, 12) + seq   ->  13 * seq
//   divide(768 * batch * seq, batch * seq) ->  768
//
// Code that only moves sizes about needs not know; code that computes with them
// calls the table. Symbols have bounds, which decide comparisons, and a step: a
// symbol that is always a multiple of 32 is 32 times an atom, so that halves of
// it are exact:
//
//   symbol "h" in steps of 32: floorDiv(h - 1, 2) + 1  ->  16 * (h / 32)

#ifndef QDIALECT_SUPPORT_SYMBOLICSIZES_H
#define QDIALECT_SUPPORT_SYMBOLICSIZES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace qdialect {

class SymbolicSizes {
public:
  /// The largest size that anything here computes with.
  static constexpr int64_t kUnbounded = int64_t(1) << 40;

  struct Symbol {
    std::string name;
    int64_t low = 1, high = kUnbounded;
    int64_t step = 1;        ///< every value is a multiple of it
    bool isComputed = false; ///< by the program, from data
  };

  /// The least and the largest value of a size.
  struct Bounds {
    int64_t low, high;
  };

  struct Atom {
    enum Kind { Symbol, FloorDiv, Max, Min, Mul } kind;
    unsigned symbol;  ///< Symbol: its number; the atom counts steps
    int64_t lhs, rhs; ///< otherwise: sizes
  };

  /// factor * atoms[0] * atoms[1] * ...
  struct Term {
    int64_t factor;
    llvm::SmallVector<unsigned, 2> atoms;
  };

  /// True for every handle, of this table or not.
  static bool isSymbolic(int64_t size) {
    return size <= kFirst && size > kFirst - kMost;
  }
  static bool anySymbolic(llvm::ArrayRef<int64_t> sizes);

  /// The symbol of this name, made on first use; bounds and step are those of
  /// the first, and both bounds multiples of the step.
  int64_t symbol(llvm::StringRef name, int64_t low = 1,
                 int64_t high = kUnbounded, int64_t step = 1);
  /// The number of the symbol that a size is; nothing if it is more than that.
  std::optional<unsigned> asSymbol(int64_t size) const;
  /// A new symbol that the program computes, from 0 to at most `limit` (a size
  /// of symbols known before). Its name is made unique.
  int64_t computedSymbol(llvm::StringRef name, int64_t limit = kUnbounded);
  llvm::ArrayRef<Symbol> symbols() const { return names; }
  /// The numbers of the symbols that a size mentions, in falling order.
  llvm::SmallVector<unsigned> symbolsOf(int64_t size) const;
  /// True if one of them is computed.
  bool isComputed(int64_t size) const;

  int64_t add(int64_t a, int64_t b);
  int64_t sub(int64_t a, int64_t b) { return add(a, mul(b, -1)); }
  int64_t mul(int64_t a, int64_t b);
  int64_t product(llvm::ArrayRef<int64_t> sizes);
  /// a / b where that has no remainder for all values of the symbols.
  std::optional<int64_t> divide(int64_t a, int64_t b);
  /// Rounded down, and up; b must be positive.
  int64_t floorDiv(int64_t a, int64_t b);
  int64_t ceilDiv(int64_t a, int64_t b);
  int64_t max(int64_t a, int64_t b);
  int64_t min(int64_t a, int64_t b);

  Bounds bounds(int64_t size) const;
  int64_t evaluate(int64_t size, llvm::ArrayRef<int64_t> symbolValues) const;
  /// "batch * seq + 2"; "3 * h / 2" where h has a step that makes this whole.
  std::string print(int64_t size) const;

  /// What a handle stands for: the sum of its terms.
  llvm::ArrayRef<Term> terms(int64_t size) const;
  const Atom &atom(unsigned number) const { return atoms[number]; }
  /// The size that an atom alone is.
  int64_t sizeOf(unsigned atom) { return intern({Term{1, {atom}}}); }

private:
  static constexpr int64_t kFirst = -(int64_t(1) << 62);
  static constexpr int64_t kMost = int64_t(1) << 24;
  using Terms = std::vector<Term>;

  Terms expand(int64_t size) const;
  int64_t intern(Terms terms);
  int64_t internAtom(Atom::Kind kind, int64_t lhs, int64_t rhs,
                     unsigned symbol = 0);
  Bounds boundsOf(const Atom &atom) const;
  std::string printAtom(unsigned number) const;
  std::string printTerm(const Term &term) const;

  std::vector<Symbol> names;
  std::vector<Atom> atoms;
  std::vector<Terms> polynomials;
  std::map<std::vector<int64_t>, int64_t> handles;
  std::map<std::vector<int64_t>, unsigned> atomNumbers;
};

} // namespace qdialect

#endif // QDIALECT_SUPPORT_SYMBOLICSIZES_H
