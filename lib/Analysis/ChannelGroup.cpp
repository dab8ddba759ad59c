// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Searches the graph of channels for a group. All that joins of necessity is
// followed first; then products are asked which of their factors takes the
// factors, in program order, and answers that lead to a contradiction (both
// factors of a product, or one value whose channels lie in two places) are
// taken back.

#include "QDialect/Analysis/ChannelGroup.h"

#include "ChannelGraph.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect {
namespace {

/// Answers that are tried before a search is given up.
constexpr unsigned kMostAnswers = 1000;

class GroupSearch {
public:
  explicit GroupSearch(const ChannelGraph &graph) : graph(graph) {}

  /// Finds the members of a group of node 0.
  bool run();
  ChannelGroup collect(int64_t channels) const;
  std::string why;

private:
  /// A product whose answer was chosen, and where the members were before.
  struct Question {
    unsigned node;
    size_t membersBefore;
    SmallVector<unsigned, 4> answers;
    unsigned next = 0;
  };

  bool join(unsigned node);
  bool joinOperands(unsigned node, unsigned activations);
  bool joinForced();
  bool answerNext();

  bool isAnswered(unsigned node) const {
    return llvm::any_of(questions, [node](const Question &question) {
      return question.node == node;
    });
  }
  /// The activations of the node's maker that are members; nothing if one is
  /// whose channels lie elsewhere.
  std::optional<unsigned> membersAmong(const FactorSharing &sharing) const;
  /// The sets of activations that could be the members in the end, the fewest
  /// more first.
  SmallVector<unsigned, 4> answersOf(unsigned node, unsigned members) const;
  /// The product that decides next. None: the group is complete.
  std::optional<Question> nextQuestion() const;

  const ChannelGraph &graph;
  /// In the order in which they joined, so that the last ones can be removed.
  llvm::MapVector<Value, unsigned> members;
  SmallVector<Question> questions;
};

bool GroupSearch::join(unsigned node) {
  SmallVector<unsigned> worklist = {node};
  while (!worklist.empty()) {
    unsigned next = worklist.pop_back_val();
    if (graph[next].blocked) {
      why = graph[next].why;
      return false;
    }
    auto [it, isNew] = members.insert({graph[next].value, next});
    if (!isNew && it->second != next) {
      why = "a value has channels in two places";
      return false;
    }
    if (isNew)
      llvm::append_range(worklist, llvm::reverse(graph[next].needs));
  }
  return true;
}

bool GroupSearch::joinOperands(unsigned node, unsigned activations) {
  for (auto [bit, operand] : llvm::enumerate(graph[node].sharing->activations))
    if (activations >> bit & 1 && !join(operand.node))
      return false;
  return true;
}

std::optional<unsigned>
GroupSearch::membersAmong(const FactorSharing &sharing) const {
  unsigned found = 0;
  for (auto [bit, operand] : llvm::enumerate(sharing.activations)) {
    auto it = members.find(operand.value);
    if (it == members.end())
      continue;
    if (it->second != operand.node)
      return std::nullopt;
    found |= 1u << bit;
  }
  return found;
}

SmallVector<unsigned, 4> GroupSearch::answersOf(unsigned node,
                                                unsigned members) const {
  SmallVector<unsigned, 4> answers;
  for (FactorSharing::Way way : graph[node].sharing->ways)
    if ((way.activations & members) == members &&
        graph.areFree(graph[node], way.activations) &&
        llvm::none_of(answers, [&](unsigned smaller) {
          return way.activations == smaller ||
                 (smaller != 0 && (way.activations & smaller) == smaller);
        }))
      answers.push_back(way.activations);
  return answers;
}

/// Follows makers of which only one set of operands is left; false at a maker
/// that has none.
bool GroupSearch::joinForced() {
  for (bool changed = true; changed;) {
    changed = false;
    // Members join while they are walked over.
    for (size_t i = 0; i < members.size(); ++i) {
      unsigned node = members.begin()[i].second;
      const std::optional<FactorSharing> &sharing = graph[node].sharing;
      if (!sharing)
        continue;
      std::optional<unsigned> present = membersAmong(*sharing);
      SmallVector<unsigned, 4> answers;
      if (present)
        answers = answersOf(node, *present);
      if (answers.empty()) {
        why = (graph[node].value.getDefiningOp()->getName().getStringRef() +
               " is a product of the channels, which blocks factors")
                  .str();
        return false;
      }
      if (answers.size() != 1 || answers[0] == *present)
        continue;
      if (!joinOperands(node, answers[0]))
        return false;
      changed = true;
    }
  }
  return true;
}

std::optional<GroupSearch::Question> GroupSearch::nextQuestion() const {
  std::optional<Question> first;
  for (const auto &[value, node] : members) {
    if (!graph[node].sharing)
      continue;
    unsigned present = *membersAmong(*graph[node].sharing);
    SmallVector<unsigned, 4> answers = answersOf(node, present);
    // A constant alone has the factors: complete, if that was the answer.
    bool isComplete = llvm::is_contained(answers, present) &&
                      (present != 0 || answers.size() == 1 || isAnswered(node));
    if (!isComplete &&
        (!first || comesBefore(value.getDefiningOp(),
                               graph[first->node].value.getDefiningOp())))
      first = Question{node, members.size(), std::move(answers)};
  }
  return first;
}

/// Takes members back to the last question that has another answer, and gives
/// it.
bool GroupSearch::answerNext() {
  while (!questions.empty()) {
    Question &last = questions.back();
    while (members.size() > last.membersBefore)
      members.pop_back();
    if (last.next == last.answers.size())
      questions.pop_back();
    else if (joinOperands(last.node, last.answers[last.next++]))
      return true;
  }
  return false;
}

bool GroupSearch::run() {
  if (!join(0))
    return false;
  for (unsigned answers = 0; answers < kMostAnswers; ++answers) {
    if (joinForced()) {
      std::optional<Question> question = nextQuestion();
      if (!question)
        return true;
      questions.push_back(std::move(*question));
    }
    if (!answerNext())
      return false;
  }
  why = "its products have too many ways to share factors";
  return false;
}

ChannelGroup GroupSearch::collect(int64_t channels) const {
  ChannelGroup group;
  group.channels = channels;
  for (const auto &[value, number] : members) {
    const ChannelGraph::Node &node = graph[number];
    group.values.insert({value, node.channels});
    llvm::append_range(group.makers, node.makers);
    llvm::append_range(group.addends, node.addends);
    llvm::append_range(group.readers, node.readers);
    if (!node.sharing)
      continue;
    unsigned present = *membersAmong(*node.sharing);
    const auto *way =
        llvm::find_if(node.sharing->ways, [&](FactorSharing::Way candidate) {
          return candidate.activations == present;
        });
    for (auto [bit, constant] : llvm::enumerate(node.sharing->constants))
      if (way->constants >> bit & 1)
        (present ? group.addends : group.makers).push_back(constant);
  }
  return group;
}

std::optional<ChannelGroup> find(Value value, const ChannelDims &channels,
                                 bool readersOnly, std::string *why) {
  ChannelGraph graph(value, channels, readersOnly);
  GroupSearch search(graph);
  if (search.run())
    return search.collect(channels.count());
  if (why)
    *why = search.why;
  return std::nullopt;
}

} // namespace

void ChannelConstant::forEach(
    llvm::function_ref<void(int64_t, int64_t)> visit) const {
  forEachWeight(cast<RankedTensorType>(operand->get().getType()).getShape(),
                strides, visit);
}

std::optional<ChannelGroup>
findChannelGroup(Value value, const ChannelDims &channels, std::string *why) {
  return find(value, channels, /*readersOnly=*/false, why);
}

std::optional<ChannelGroup>
findChannelReaders(Value value, const ChannelDims &channels, std::string *why) {
  return find(value, channels, /*readersOnly=*/true, why);
}

void replaceConstant(OpOperand &operand, ArrayRef<double> values) {
  auto old = operand.get().getDefiningOp<arith::ConstantOp>();
  auto type = cast<RankedTensorType>(old.getType());
  HostTensor tensor(DType::F32, type.getShape().vec());
  llvm::transform(values, tensor.mutableData<float>(),
                  [](double value) { return static_cast<float>(value); });
  OpBuilder builder(operand.getOwner());
  operand.set(makeConstant(builder, old.getLoc(), type, "scaled_weight",
                           std::move(tensor)));
  if (old->use_empty())
    old->erase();
}

void scaleConstant(const ChannelConstant &constant, ArrayRef<double> factors) {
  ConstantView view = *constantView(constant.operand->get());
  std::vector<double> values(view.numElements());
  constant.forEach([&](int64_t element, int64_t channel) {
    values[element] = view.number(element) * factors[channel];
  });
  replaceConstant(*constant.operand, values);
}

void scaleChannels(const ChannelGroup &group, ArrayRef<double> factors) {
  SmallVector<double> inverses;
  for (double factor : factors)
    inverses.push_back(1 / factor);
  for (const ChannelConstant &constant : group.makers)
    scaleConstant(constant, factors);
  for (const ChannelConstant &constant : group.addends)
    scaleConstant(constant, factors);
  for (const ChannelConstant &constant : group.readers)
    scaleConstant(constant, inverses);
}

} // namespace qdialect
