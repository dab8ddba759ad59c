// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The normal form: terms sorted by degree and then by their atoms, none with
// factor 0, no two with the same atoms. A sum without symbols is a number and
// never a handle. Arithmetic saturates at +-2^61: beyond that no size is
// accepted anyway.

#include "QDialect/Support/SymbolicSizes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

using namespace qdialect;
using Term = SymbolicSizes::Term;

namespace {

constexpr int64_t kLimit = int64_t(1) << 61;
/// Products of sums beyond this many terms stay products.
constexpr size_t kMaxTerms = 64;

int64_t saturate(__int128 value) {
  if (value > kLimit)
    return kLimit;
  return value < -kLimit ? -kLimit : static_cast<int64_t>(value);
}
int64_t addNumbers(int64_t a, int64_t b) { return saturate(__int128(a) + b); }
int64_t mulNumbers(int64_t a, int64_t b) { return saturate(__int128(a) * b); }

bool atomsLess(llvm::ArrayRef<unsigned> a, llvm::ArrayRef<unsigned> b) {
  if (a.size() != b.size())
    return a.size() > b.size();
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

/// `atoms` without those of `by`; nothing if one is missing.
std::optional<llvm::SmallVector<unsigned, 2>>
divideAtoms(llvm::ArrayRef<unsigned> atoms, llvm::ArrayRef<unsigned> by) {
  llvm::SmallVector<unsigned, 2> rest;
  for (unsigned atom : atoms) {
    if (!by.empty() && by.front() == atom)
      by = by.drop_front();
    else
      rest.push_back(atom);
  }
  return by.empty() ? std::optional(rest) : std::nullopt;
}

Term multiply(const Term &a, const Term &b) {
  Term result{mulNumbers(a.factor, b.factor), a.atoms};
  llvm::append_range(result.atoms, b.atoms);
  llvm::sort(result.atoms);
  return result;
}

} // namespace

bool SymbolicSizes::anySymbolic(llvm::ArrayRef<int64_t> sizes) {
  return llvm::any_of(sizes, isSymbolic);
}

SymbolicSizes::Terms SymbolicSizes::expand(int64_t size) const {
  if (isSymbolic(size))
    return terms(size).vec();
  return size == 0 ? Terms() : Terms{Term{size, {}}};
}

llvm::ArrayRef<Term> SymbolicSizes::terms(int64_t size) const {
  // Of no handle, too: the difference wraps beyond every number.
  uint64_t number = static_cast<uint64_t>(kFirst) - static_cast<uint64_t>(size);
  return number < polynomials.size() ? llvm::ArrayRef<Term>(polynomials[number])
                                     : llvm::ArrayRef<Term>();
}

int64_t SymbolicSizes::intern(Terms terms) {
  llvm::sort(terms, [](const Term &a, const Term &b) {
    return atomsLess(a.atoms, b.atoms);
  });
  Terms merged;
  for (Term &term : terms) {
    if (!merged.empty() && merged.back().atoms == term.atoms)
      merged.back().factor = addNumbers(merged.back().factor, term.factor);
    else
      merged.push_back(std::move(term));
  }
  llvm::erase_if(merged, [](const Term &term) { return term.factor == 0; });
  if (merged.empty())
    return 0;
  if (merged.size() == 1 && merged.front().atoms.empty())
    return merged.front().factor;
  std::vector<int64_t> key;
  for (const Term &term : merged) {
    key.push_back(term.factor);
    key.push_back(static_cast<int64_t>(term.atoms.size()));
    llvm::append_range(key, term.atoms);
  }
  auto [entry, isNew] = handles.try_emplace(
      std::move(key), kFirst - static_cast<int64_t>(polynomials.size()));
  if (isNew)
    polynomials.push_back(std::move(merged));
  return entry->second;
}

int64_t SymbolicSizes::internAtom(Atom::Kind kind, int64_t lhs, int64_t rhs,
                                  unsigned symbol) {
  auto [entry, isNew] = atomNumbers.try_emplace(
      std::vector<int64_t>{kind, lhs, rhs, static_cast<int64_t>(symbol)},
      static_cast<unsigned>(atoms.size()));
  if (isNew)
    atoms.push_back({kind, symbol, lhs, rhs});
  return sizeOf(entry->second);
}

int64_t SymbolicSizes::symbol(llvm::StringRef name, int64_t low, int64_t high,
                              int64_t step) {
  assert(step > 0 && low % step == 0 && high % step == 0);
  auto known =
      llvm::find_if(names, [&](const Symbol &s) { return s.name == name; });
  unsigned number = known - names.begin();
  if (known == names.end())
    names.push_back({name.str(), low, high, step});
  return mul(internAtom(Atom::Symbol, 0, 0, number), names[number].step);
}

std::optional<unsigned> SymbolicSizes::asSymbol(int64_t size) const {
  if (!isSymbolic(size))
    return std::nullopt;
  llvm::ArrayRef<Term> sum = terms(size);
  if (sum.size() != 1 || sum[0].atoms.size() != 1)
    return std::nullopt;
  const Atom &atom = atoms[sum[0].atoms[0]];
  if (atom.kind != Atom::Symbol || sum[0].factor != names[atom.symbol].step)
    return std::nullopt;
  return atom.symbol;
}

int64_t SymbolicSizes::computedSymbol(llvm::StringRef name, int64_t limit) {
  auto isTaken = [&](llvm::StringRef text) {
    return llvm::any_of(names, [&](const Symbol &s) { return s.name == text; });
  };
  std::string unique = name.str();
  for (unsigned i = 2; isTaken(unique); ++i)
    unique = name.str() + "#" + std::to_string(i);
  int64_t high = std::clamp<int64_t>(bounds(limit).high, 0, kUnbounded);
  int64_t made = symbol(unique, 0, high);
  names.back().isComputed = true;
  return made;
}

llvm::SmallVector<unsigned> SymbolicSizes::symbolsOf(int64_t size) const {
  std::set<unsigned> found;
  std::function<void(int64_t)> visit = [&](int64_t part) {
    if (!isSymbolic(part))
      return;
    for (const Term &term : terms(part))
      for (unsigned number : term.atoms) {
        const Atom &atom = atoms[number];
        if (atom.kind == Atom::Symbol) {
          found.insert(atom.symbol);
          continue;
        }
        visit(atom.lhs);
        visit(atom.rhs);
      }
  };
  visit(size);
  return {found.rbegin(), found.rend()};
}

bool SymbolicSizes::isComputed(int64_t size) const {
  return llvm::any_of(symbolsOf(size), [&](unsigned number) {
    return names[number].isComputed;
  });
}

int64_t SymbolicSizes::add(int64_t a, int64_t b) {
  if (!isSymbolic(a) && !isSymbolic(b))
    return addNumbers(a, b);
  Terms sum = expand(a);
  llvm::append_range(sum, expand(b));
  return intern(std::move(sum));
}

int64_t SymbolicSizes::mul(int64_t a, int64_t b) {
  if (!isSymbolic(a) && !isSymbolic(b))
    return mulNumbers(a, b);
  Terms left = expand(a), right = expand(b), result;
  if (left.size() * right.size() > kMaxTerms)
    return internAtom(Atom::Mul, std::min(a, b), std::max(a, b));
  for (const Term &x : left)
    for (const Term &y : right)
      result.push_back(multiply(x, y));
  return intern(std::move(result));
}

int64_t SymbolicSizes::product(llvm::ArrayRef<int64_t> sizes) {
  int64_t result = 1;
  for (int64_t size : sizes)
    result = mul(result, size);
  return result;
}

std::optional<int64_t> SymbolicSizes::divide(int64_t a, int64_t b) {
  if (b == 0)
    return std::nullopt;
  if (a == b)
    return 1;
  Terms divisor = expand(b);
  int64_t quotient = 0, rest = a;
  // Long division: the leading term of the rest by that of the divisor.
  for (size_t step = 0; step < kMaxTerms; ++step) {
    if (rest == 0)
      return quotient;
    Terms left = expand(rest);
    auto atomsLeft = divideAtoms(left.front().atoms, divisor.front().atoms);
    if (!atomsLeft || left.front().factor % divisor.front().factor != 0)
      return std::nullopt;
    int64_t part = intern(
        {Term{left.front().factor / divisor.front().factor, *atomsLeft}});
    quotient = add(quotient, part);
    rest = sub(rest, mul(part, b));
  }
  return std::nullopt;
}

int64_t SymbolicSizes::floorDiv(int64_t a, int64_t b) {
  if (!isSymbolic(a) && !isSymbolic(b))
    return llvm::divideFloorSigned(a, b);
  if (std::optional<int64_t> exact = divide(a, b))
    return *exact;
  // floor((q * b + r) / b) = q + floor(r / b), term by term.
  Terms rest;
  int64_t whole = 0;
  for (const Term &term : expand(a)) {
    int64_t single = intern({term});
    if (std::optional<int64_t> quotient = divide(single, b))
      whole = add(whole, *quotient);
    else
      rest.push_back(term);
  }
  int64_t remainder = intern(std::move(rest));
  if (!isSymbolic(remainder) && !isSymbolic(b))
    return add(whole, llvm::divideFloorSigned(remainder, b));
  if (bounds(remainder).low >= 0 && bounds(sub(b, remainder)).low > 0)
    return whole;
  return add(whole, internAtom(Atom::FloorDiv, remainder, b));
}

int64_t SymbolicSizes::ceilDiv(int64_t a, int64_t b) {
  return floorDiv(add(a, sub(b, 1)), b);
}

int64_t SymbolicSizes::max(int64_t a, int64_t b) {
  Bounds difference = bounds(sub(a, b));
  if (difference.low >= 0)
    return a;
  if (difference.high <= 0)
    return b;
  return internAtom(Atom::Max, std::min(a, b), std::max(a, b));
}

int64_t SymbolicSizes::min(int64_t a, int64_t b) {
  Bounds difference = bounds(sub(a, b));
  if (difference.low >= 0)
    return b;
  if (difference.high <= 0)
    return a;
  return internAtom(Atom::Min, std::min(a, b), std::max(a, b));
}

SymbolicSizes::Bounds SymbolicSizes::boundsOf(const Atom &atom) const {
  if (atom.kind == Atom::Symbol) {
    const Symbol &symbol = names[atom.symbol];
    return {symbol.low / symbol.step, symbol.high / symbol.step};
  }
  Bounds x = bounds(atom.lhs), y = bounds(atom.rhs);
  switch (atom.kind) {
  case Atom::FloorDiv:
    // Divisors are positive; an unbounded one may make the quotient 0 or -1.
    y.low = std::max<int64_t>(y.low, 1);
    y.high = std::max(y.high, y.low);
    return {std::min(llvm::divideFloorSigned(x.low, y.low),
                     llvm::divideFloorSigned(x.low, y.high)),
            std::max(llvm::divideFloorSigned(x.high, y.low),
                     llvm::divideFloorSigned(x.high, y.high))};
  case Atom::Max:
    return {std::max(x.low, y.low), std::max(x.high, y.high)};
  case Atom::Min:
    return {std::min(x.low, y.low), std::min(x.high, y.high)};
  default: {
    int64_t corners[] = {mulNumbers(x.low, y.low), mulNumbers(x.low, y.high),
                         mulNumbers(x.high, y.low), mulNumbers(x.high, y.high)};
    return {*llvm::min_element(corners), *llvm::max_element(corners)};
  }
  }
}

SymbolicSizes::Bounds SymbolicSizes::bounds(int64_t size) const {
  if (!isSymbolic(size))
    return {size, size};
  Bounds sum{0, 0};
  for (const Term &term : terms(size)) {
    Bounds value{term.factor, term.factor};
    for (unsigned number : term.atoms) {
      Bounds factor = boundsOf(atoms[number]);
      int64_t corners[] = {mulNumbers(value.low, factor.low),
                           mulNumbers(value.low, factor.high),
                           mulNumbers(value.high, factor.low),
                           mulNumbers(value.high, factor.high)};
      value = {*llvm::min_element(corners), *llvm::max_element(corners)};
    }
    sum = {addNumbers(sum.low, value.low), addNumbers(sum.high, value.high)};
  }
  return sum;
}

int64_t SymbolicSizes::evaluate(int64_t size,
                                llvm::ArrayRef<int64_t> values) const {
  if (!isSymbolic(size))
    return size;
  int64_t sum = 0;
  for (const Term &term : terms(size)) {
    int64_t value = term.factor;
    for (unsigned number : term.atoms) {
      const Atom &atom = atoms[number];
      if (atom.kind == Atom::Symbol) {
        value =
            mulNumbers(value, values[atom.symbol] / names[atom.symbol].step);
        continue;
      }
      int64_t x = evaluate(atom.lhs, values), y = evaluate(atom.rhs, values);
      int64_t result =
          atom.kind == Atom::Max   ? std::max(x, y)
          : atom.kind == Atom::Min ? std::min(x, y)
          : atom.kind == Atom::Mul
              ? mulNumbers(x, y)
              : llvm::divideFloorSigned(x, std::max<int64_t>(y, 1));
      value = mulNumbers(value, result);
    }
    sum = addNumbers(sum, value);
  }
  return sum;
}

std::string SymbolicSizes::printAtom(unsigned number) const {
  const Atom &atom = atoms[number];
  switch (atom.kind) {
  case Atom::Symbol:
    return names[atom.symbol].name;
  case Atom::FloorDiv:
    return "floor((" + print(atom.lhs) + ") / (" + print(atom.rhs) + "))";
  case Atom::Mul:
    return "(" + print(atom.lhs) + ") * (" + print(atom.rhs) + ")";
  case Atom::Max:
    return "max(" + print(atom.lhs) + ", " + print(atom.rhs) + ")";
  case Atom::Min:
    return "min(" + print(atom.lhs) + ", " + print(atom.rhs) + ")";
  }
  llvm_unreachable("unknown atom");
}

/// Without its sign. Steps of symbols become one division at the end.
std::string SymbolicSizes::printTerm(const Term &term) const {
  int64_t factor = std::abs(term.factor), divisor = 1;
  for (unsigned number : term.atoms)
    if (const Atom &atom = atoms[number]; atom.kind == Atom::Symbol)
      divisor = mulNumbers(divisor, names[atom.symbol].step);
  int64_t common = std::gcd(factor, divisor);
  factor /= common;
  divisor /= common;
  std::string text;
  if (factor != 1 || term.atoms.empty())
    text += std::to_string(factor) + (term.atoms.empty() ? "" : " * ");
  for (auto [index, atom] : llvm::enumerate(term.atoms))
    text += (index ? " * " : "") + printAtom(atom);
  return divisor == 1 ? text : text + " / " + std::to_string(divisor);
}

std::string SymbolicSizes::print(int64_t size) const {
  if (!isSymbolic(size))
    return std::to_string(size);
  std::string text;
  for (const Term &term : terms(size)) {
    bool negative = term.factor < 0;
    text += text.empty() ? (negative ? "-" : "") : negative ? " - " : " + ";
    text += printTerm(term);
  }
  return text.empty() ? "unknown" : text;
}
