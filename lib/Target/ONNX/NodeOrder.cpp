// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "NodeOrder.h"

#include "onnx.pb.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include <functional>
#include <queue>

using namespace llvm;

namespace qdialect::onnx_import {

/// Calls `visit` with the names that `node` and its subgraphs read.
static void forEachRead(const onnx::NodeProto &node,
                        function_ref<void(StringRef)> visit) {
  for (const std::string &name : node.input())
    visit(name);
  auto visitGraph = [&](const onnx::GraphProto &graph) {
    for (const onnx::NodeProto &inner : graph.node())
      forEachRead(inner, visit);
    for (const onnx::ValueInfoProto &output : graph.output())
      visit(output.name());
  };
  for (const onnx::AttributeProto &attribute : node.attribute()) {
    if (attribute.has_g())
      visitGraph(attribute.g());
    for (const onnx::GraphProto &graph : attribute.graphs())
      visitGraph(graph);
  }
}

std::vector<const onnx::NodeProto *> orderNodes(const onnx::GraphProto &graph) {
  StringMap<size_t> producer;
  for (auto [number, node] : enumerate(graph.node()))
    for (const std::string &name : node.output())
      if (!name.empty())
        producer.try_emplace(name, number);
  // By node: who reads its results, and how many results it still waits for.
  std::vector<std::vector<size_t>> readers(graph.node_size());
  std::vector<size_t> waiting(graph.node_size());
  for (auto [number, node] : enumerate(graph.node()))
    forEachRead(node, [&, number = number](StringRef name) {
      auto found = producer.find(name);
      if (found == producer.end() || found->second == number)
        return;
      readers[found->second].push_back(number);
      ++waiting[number];
    });
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (auto [number, count] : enumerate(waiting))
    if (count == 0)
      ready.push(number);
  std::vector<const onnx::NodeProto *> order;
  std::vector<bool> isDone(graph.node_size());
  while (!ready.empty()) {
    size_t number = ready.top();
    ready.pop();
    isDone[number] = true;
    order.push_back(&graph.node(static_cast<int>(number)));
    for (size_t reader : readers[number])
      if (--waiting[reader] == 0)
        ready.push(reader);
  }
  for (auto [number, node] : enumerate(graph.node()))
    if (!isDone[number])
      order.push_back(&node);
  return order;
}

} // namespace qdialect::onnx_import
