// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "SizeTable.h"

namespace qdialect {

unsigned SizeTable::atomNode(const SymbolicSizes::Atom &atom) {
  using Atom = SymbolicSizes::Atom;
  if (atom.kind == Atom::Symbol) {
    const SymbolicSizes::Symbol &symbol = sizes.symbols()[atom.symbol];
    unsigned whole = push({QD_SIZE_SYMBOL, atom.symbol, 0, 0});
    return symbol.step == 1
               ? whole
               : push({QD_SIZE_FLOOR_DIV, whole, node(symbol.step), 0});
  }
  unsigned lhs = node(atom.lhs), rhs = node(atom.rhs);
  switch (atom.kind) {
  case Atom::FloorDiv:
    return push({QD_SIZE_FLOOR_DIV, lhs, rhs, 0});
  case Atom::Max:
    return push({QD_SIZE_MAX, lhs, rhs, 0});
  case Atom::Min:
    return push({QD_SIZE_MIN, lhs, rhs, 0});
  default:
    return push({QD_SIZE_MUL, lhs, rhs, 0});
  }
}

unsigned SizeTable::node(int64_t size) {
  if (auto entry = known.find(size); entry != known.end())
    return entry->second;
  // The runtime knows the sizes of inputs by this node.
  if (std::optional<unsigned> symbol = sizes.asSymbol(size))
    return known[size] = push({QD_SIZE_SYMBOL, *symbol, 0, 0});
  std::optional<unsigned> sum;
  if (!SymbolicSizes::isSymbolic(size))
    sum = push({QD_SIZE_NUMBER, 0, 0, size});
  for (const SymbolicSizes::Term &term : sizes.terms(size)) {
    std::optional<unsigned> product;
    if (term.factor != 1 || term.atoms.empty())
      product = node(term.factor);
    for (unsigned number : term.atoms) {
      unsigned factor = atomNode(sizes.atom(number));
      product = product ? push({QD_SIZE_MUL, *product, factor, 0}) : factor;
    }
    sum = sum ? push({QD_SIZE_ADD, *sum, *product, 0}) : *product;
  }
  known[size] = *sum;
  return *sum;
}

unsigned SizeTable::run(llvm::ArrayRef<int64_t> list) {
  llvm::SmallVector<unsigned> sources;
  for (int64_t size : list)
    sources.push_back(node(size));
  unsigned first = nodes.size();
  for (unsigned source : sources)
    push({QD_SIZE_COPY, source, 0, 0});
  return first;
}

} // namespace qdialect
