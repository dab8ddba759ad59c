// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sizes of a program as the runtime evaluates them: expressions, each over
// those before it in the table (qd_size of runtime/src/program.h).

#ifndef QDIALECT_LIB_CODEGEN_PROGRAM_SIZETABLE_H
#define QDIALECT_LIB_CODEGEN_PROGRAM_SIZETABLE_H

#include "QDialect/Support/SymbolicSizes.h"
#include "program.h"
#include <map>
#include <vector>

namespace qdialect {

class SizeTable {
public:
  explicit SizeTable(const SymbolicSizes &sizes) : sizes(sizes) {}

  struct Node {
    qd_size_kind kind;
    unsigned lhs = 0, rhs = 0;
    int64_t number = 0;
  };
  std::vector<Node> nodes;

  /// The number of the node that a size is.
  unsigned node(int64_t size);
  /// Nodes that follow each other in memory; the number of the first.
  unsigned run(llvm::ArrayRef<int64_t> list);

private:
  unsigned push(Node node) {
    nodes.push_back(node);
    return nodes.size() - 1;
  }
  unsigned atomNode(const SymbolicSizes::Atom &atom);

  const SymbolicSizes &sizes;
  std::map<int64_t, unsigned> known;
};

} // namespace qdialect

#endif // QDIALECT_LIB_CODEGEN_PROGRAM_SIZETABLE_H
