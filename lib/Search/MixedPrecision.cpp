// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The integer program of a cost table, and what becomes of its solutions.

#include "QDialect/Search/MixedPrecision.h"
#include "QDialect/Search/IntegerProgram.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <map>
#include <set>

using namespace qdialect;

namespace {

/// Tied layers are one group. Its first choice is what holds if none of its
/// variables is set, so that a group of two choices is one variable.
struct Group {
  std::vector<unsigned> layers;
  std::vector<CostTable::Choice> choices; ///< costs of all its layers
  int firstVariable = 0;                  ///< that of the second choice
};

/// A sum of variables that is 1 or 0.
struct Indicator {
  std::vector<IntegerProgram::Term> terms;
  double constant = 0;
};

class PlanProgram {
public:
  explicit PlanProgram(const CostTable &table);

  void limit(Resource resource, double most);
  void minimiseLoss() {
    setCosts([](const CostTable::Choice &choice) { return choice.loss; });
  }
  void minimise(Resource resource) {
    setCosts([&](const CostTable::Choice &choice) {
      return choice.costs[static_cast<unsigned>(resource)];
    });
  }
  /// Nothing if no plan is within the limits.
  llvm::Expected<std::optional<PrecisionPlan>> solve() const;

private:
  template <typename Cost>
  void setCosts(Cost cost) {
    program.costs.clear();
    forEachVariable(
        [&](const CostTable::Choice &first, const CostTable::Choice &choice) {
          program.costs.push_back(cost(choice) - cost(first));
        });
  }
  template <typename Visit>
  void forEachVariable(Visit visit) const {
    for (const Group &group : groups)
      for (size_t i = 1; i < group.choices.size(); ++i)
        visit(group.choices.front(), group.choices[i]);
  }
  void formGroups();
  void shareGrid(const Group &a, const Group &b);
  static Indicator hasWidth(const Group &group, unsigned activationBits);

  const CostTable &table;
  IntegerProgram program;
  std::vector<Group> groups;
  /// Some group has no choice that all its layers have.
  bool isImpossible = false;
};

void PlanProgram::formGroups() {
  llvm::EquivalenceClasses<unsigned> tied;
  for (unsigned layer = 0; layer < table.layers.size(); ++layer)
    tied.insert(layer);
  for (const std::vector<unsigned> &tie : table.ties)
    for (unsigned layer : tie)
      tied.unionSets(tie.front(), layer);
  std::map<unsigned, size_t> groupOf;
  for (unsigned layer = 0; layer < table.layers.size(); ++layer) {
    auto [entry, isNew] =
        groupOf.try_emplace(tied.getLeaderValue(layer), groups.size());
    if (isNew)
      groups.emplace_back();
    groups[entry->second].layers.push_back(layer);
  }
  for (Group &group : groups)
    for (CostTable::Choice choice :
         table.layers[group.layers.front()].choices) {
      bool forAll = true;
      for (unsigned layer : llvm::ArrayRef(group.layers).drop_front()) {
        const CostTable::Choice *same =
            table.layers[layer].find(choice.precision);
        forAll &= same != nullptr;
        if (!same)
          continue;
        choice.loss += same->loss;
        for (unsigned r = 0; r < kNumResources; ++r)
          choice.costs[r] += same->costs[r];
      }
      if (forAll)
        group.choices.push_back(choice);
    }
}

PlanProgram::PlanProgram(const CostTable &table) : table(table) {
  formGroups();
  int next = 0;
  std::vector<const Group *> readerOf(table.grids.size());
  for (Group &group : groups) {
    isImpossible |= group.choices.empty();
    group.firstVariable = next;
    IntegerProgram::Row atMostOne;
    atMostOne.high = 1;
    for (size_t i = 1; i < group.choices.size(); ++i)
      atMostOne.terms.push_back({next++, 1});
    if (atMostOne.terms.size() > 1)
      program.rows.push_back(std::move(atMostOne));
    for (unsigned layer : group.layers)
      if (std::optional<unsigned> grid = table.layers[layer].grid) {
        if (readerOf[*grid])
          shareGrid(*readerOf[*grid], group);
        readerOf[*grid] = &group;
      }
  }
}

Indicator PlanProgram::hasWidth(const Group &group, unsigned activationBits) {
  Indicator result;
  bool first = !group.choices.empty() &&
               group.choices.front().precision.activationBits == activationBits;
  result.constant = first;
  for (size_t i = 1; i < group.choices.size(); ++i) {
    bool own = group.choices[i].precision.activationBits == activationBits;
    if (own != first)
      result.terms.push_back(
          {group.firstVariable + static_cast<int>(i) - 1, own ? 1.0 : -1.0});
  }
  return result;
}

/// Each width is chosen by both groups or by none.
void PlanProgram::shareGrid(const Group &a, const Group &b) {
  std::set<unsigned> widths;
  for (const Group *group : {&a, &b})
    for (const CostTable::Choice &choice : group->choices)
      widths.insert(choice.precision.activationBits);
  if (&a == &b)
    return;
  for (unsigned width : widths) {
    Indicator left = hasWidth(a, width), right = hasWidth(b, width);
    IntegerProgram::Row same;
    same.terms = left.terms;
    for (IntegerProgram::Term term : right.terms)
      same.terms.push_back({term.variable, -term.factor});
    same.low = same.high = right.constant - left.constant;
    program.rows.push_back(std::move(same));
  }
}

void PlanProgram::limit(Resource resource, double most) {
  unsigned r = static_cast<unsigned>(resource);
  IntegerProgram::Row row;
  row.high = most - table.rest[r];
  for (const Group &group : groups)
    if (!group.choices.empty())
      row.high -= group.choices.front().costs[r];
  int variable = 0;
  forEachVariable(
      [&](const CostTable::Choice &first, const CostTable::Choice &choice) {
        row.terms.push_back({variable++, choice.costs[r] - first.costs[r]});
      });
  program.rows.push_back(std::move(row));
}

llvm::Expected<std::optional<PrecisionPlan>> PlanProgram::solve() const {
  if (isImpossible)
    return std::nullopt;
  auto values = solveIntegerProgram(program);
  if (!values)
    return values.takeError();
  if (!*values)
    return std::nullopt;
  PrecisionPlan plan;
  plan.choices.resize(table.layers.size());
  for (const Group &group : groups) {
    size_t chosen = 0;
    for (size_t i = 1; i < group.choices.size(); ++i)
      if ((**values)[group.firstVariable + i - 1])
        chosen = i;
    for (unsigned layer : group.layers)
      plan.choices[layer] =
          table.layers[layer].find(group.choices[chosen].precision) -
          table.layers[layer].choices.data();
  }
  plan.loss = table.loss(plan.choices);
  plan.spent = table.spent(plan.choices);
  return plan;
}

double spentOf(const PrecisionPlan &plan, Resource resource) {
  return plan.spent[static_cast<unsigned>(resource)];
}

/// The least of `resource` within the limits of the others.
llvm::Expected<std::optional<PrecisionPlan>>
leastOf(const CostTable &table, Resource resource, const Limits &limits) {
  PlanProgram program(table);
  program.minimise(resource);
  for (unsigned r = 0; r < kNumResources; ++r)
    if (limits[r] && static_cast<Resource>(r) != resource)
      program.limit(static_cast<Resource>(r), *limits[r]);
  return program.solve();
}

/// Says why no plan is within `limits`.
llvm::Error explain(const CostTable &table, const Limits &limits) {
  auto refuse = [&](Resource resource, const PrecisionPlan &least,
                    const llvm::Twine &condition) -> llvm::Error {
    double limit = *limits[static_cast<unsigned>(resource)];
    return llvm::createStringError(
        llvm::inconvertibleErrorCode(),
        "no plan has " + stringify(resource) +
            " <= " + format(resource, limit) + condition +
            ": the smallest that can be reached is " +
            format(resource, spentOf(least, resource)));
  };
  std::string others;
  Limits before{};
  for (unsigned r = 0; r < kNumResources; ++r) {
    if (!limits[r])
      continue;
    Resource resource = static_cast<Resource>(r);
    // Alone first, then within what the limits before it leave.
    for (const Limits &within : {Limits{}, before}) {
      auto least = leastOf(table, resource, within);
      if (!least)
        return least.takeError();
      if (!*least)
        return llvm::createStringError("the ties leave no plan at all");
      if (spentOf(**least, resource) > *limits[r])
        return refuse(resource, **least, within == before ? others : "");
    }
    others +=
        (others.empty() ? " within " : " and ") +
        (stringify(resource) + " <= " + format(resource, *limits[r])).str();
    before[r] = limits[r];
  }
  return llvm::createStringError("the ties leave no plan at all");
}

} // namespace

llvm::Expected<PrecisionPlan> qdialect::choosePlan(const CostTable &table,
                                                   const Limits &limits) {
  PlanProgram program(table);
  program.minimiseLoss();
  for (unsigned r = 0; r < kNumResources; ++r)
    if (limits[r])
      program.limit(static_cast<Resource>(r), *limits[r]);
  auto plan = program.solve();
  if (!plan)
    return plan.takeError();
  if (*plan)
    return **plan;
  return explain(table, limits);
}

llvm::Expected<std::vector<PrecisionPlan>>
qdialect::paretoFront(const CostTable &table, Resource resource,
                      const Limits &limits, unsigned steps) {
  Limits others = limits;
  others[static_cast<unsigned>(resource)] = std::nullopt;
  auto best = choosePlan(table, others);
  if (!best)
    return best.takeError();
  auto least = leastOf(table, resource, others);
  if (!least)
    return least.takeError();
  double low = spentOf(**least, resource), high = spentOf(*best, resource);
  std::vector<PrecisionPlan> front;
  for (unsigned step = 0; step < steps; ++step) {
    Limits within = others;
    // The last one is high itself, whatever the sums round to.
    within[static_cast<unsigned>(resource)] =
        step + 1 == steps ? high : low + (high - low) * step / (steps - 1);
    auto plan = choosePlan(table, within);
    if (!plan)
      return plan.takeError();
    if (front.empty() || plan->loss < front.back().loss)
      front.push_back(std::move(*plan));
  }
  return front;
}
