// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The order in which a graph's nodes are imported.

#ifndef QDIALECT_LIB_TARGET_ONNX_NODEORDER_H
#define QDIALECT_LIB_TARGET_ONNX_NODEORDER_H

#include <vector>

namespace onnx {
class GraphProto;
class NodeProto;
} // namespace onnx

namespace qdialect::onnx_import {

/// The nodes, each behind those whose results it or its subgraphs read, else as
/// they stand in the file. ONNX asks files to be sorted so, but converters
/// append the Casts they insert. Nodes of a cycle come last.
std::vector<const onnx::NodeProto *> orderNodes(const onnx::GraphProto &graph);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_NODEORDER_H
