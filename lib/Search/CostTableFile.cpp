// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The JSON form of cost tables (docs/Search.md), one line a layer.

#include "QDialect/Search/CostTable.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cmath>

using namespace qdialect;
namespace json = llvm::json;

static constexpr llvm::StringLiteral kFormat = "qdialect-search-table";
static constexpr int64_t kVersion = 1;

static llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

static json::Object toJSON(const ResourceVector &costs) {
  json::Object object;
  for (unsigned r = 0; r < kNumResources; ++r)
    object[stringify(static_cast<Resource>(r))] = costs[r];
  return object;
}

llvm::Error CostTable::write(llvm::StringRef path) const {
  auto print = [&](llvm::raw_ostream &os) {
    os << "{\"format\": \"" << kFormat << "\", \"version\": " << kVersion
       << ",\n \"program\": " << json::Value(json::fixUTF8(program))
       << ", \"recipe\": " << json::Value(json::fixUTF8(recipe))
       << ",\n \"metric\": " << json::Value(metric)
       << ", \"samples\": " << samples
       << ", \"variant\": " << json::Value(variant)
       << ", \"threads\": " << threads
       << ",\n \"rest\": " << json::Value(toJSON(rest)) << ",\n \"layers\": [";
    llvm::ListSeparator comma(",");
    for (const Layer &layer : layers) {
      json::Object object, choices;
      object["name"] = json::fixUTF8(layer.name);
      object["kind"] = layer.kind;
      if (layer.grid)
        object["grid"] = *layer.grid;
      for (const Choice &choice : layer.choices) {
        json::Object values = toJSON(choice.costs);
        values["loss"] = choice.loss;
        choices[choice.precision.str()] = std::move(values);
      }
      object["choices"] = std::move(choices);
      os << comma << "\n  " << json::Value(std::move(object));
    }
    os << "\n ],\n \"grids\": [";
    llvm::ListSeparator nextGrid(",");
    for (const std::vector<std::string> &makers : grids) {
      json::Array names;
      for (const std::string &maker : makers)
        names.push_back(json::fixUTF8(maker));
      os << nextGrid << "\n  " << json::Value(std::move(names));
    }
    os << "\n ],\n \"ties\": [";
    llvm::ListSeparator nextTie(", ");
    for (const std::vector<unsigned> &tie : ties)
      os << nextTie << json::Value(json::Array(tie));
    os << "]}\n";
    return llvm::Error::success();
  };
  return llvm::writeToOutput(path, print);
}

namespace {

/// Reads with one message for whatever is not as it should be.
class Reader {
public:
  Reader(llvm::StringRef path, CostTable &table) : path(path), table(table) {}

  llvm::Error read(const json::Object &root);

private:
  llvm::Error wrong(const llvm::Twine &what) {
    return failure("'" + path + "' is no table of costs: " + what);
  }
  llvm::Error readCosts(const json::Object &object, llvm::StringRef where,
                        ResourceVector &costs);
  llvm::Error readLayer(const json::Value &value);
  llvm::Error readTies(const json::Object &root);

  llvm::StringRef path;
  CostTable &table;
};

llvm::Error Reader::readCosts(const json::Object &object, llvm::StringRef where,
                              ResourceVector &costs) {
  for (unsigned r = 0; r < kNumResources; ++r) {
    llvm::StringRef key = stringify(static_cast<Resource>(r));
    std::optional<double> number = object.getNumber(key);
    if (!number || !std::isfinite(*number) || *number < 0)
      return wrong(where + " has no number '" + key + "'");
    costs[r] = *number;
  }
  return llvm::Error::success();
}

llvm::Error Reader::readLayer(const json::Value &value) {
  const json::Object *object = value.getAsObject();
  auto name = object ? object->getString("name") : std::nullopt;
  const json::Object *choices = object ? object->getObject("choices") : nullptr;
  if (!name || !choices || choices->empty())
    return wrong("layer " + llvm::Twine(table.layers.size()) +
                 " has no name or no choices");
  CostTable::Layer layer;
  layer.name = name->str();
  layer.kind = object->getString("kind").value_or("").str();
  if (std::optional<int64_t> grid = object->getInteger("grid")) {
    if (*grid < 0 || *grid >= static_cast<int64_t>(table.grids.size()))
      return wrong("layer '" + *name + "' reads grid " + llvm::Twine(*grid) +
                   " of " + llvm::Twine(table.grids.size()));
    layer.grid = *grid;
  }
  for (const auto &[key, values] : *choices) {
    std::string where =
        ("choice '" + key.str() + "' of layer '" + *name + "'").str();
    std::optional<Precision> precision = Precision::parse(key);
    const json::Object *figures = values.getAsObject();
    std::optional<double> loss =
        figures ? figures->getNumber("loss") : std::nullopt;
    if (!precision || !loss || !std::isfinite(*loss))
      return wrong(where + " is none, or has no loss");
    CostTable::Choice choice;
    choice.precision = *precision;
    choice.loss = *loss;
    if (llvm::Error error = readCosts(*figures, where, choice.costs))
      return error;
    layer.choices.push_back(choice);
  }
  llvm::sort(layer.choices, [](const auto &a, const auto &b) {
    return a.precision < b.precision;
  });
  table.layers.push_back(std::move(layer));
  return llvm::Error::success();
}

llvm::Error Reader::readTies(const json::Object &root) {
  const json::Array *ties = root.getArray("ties");
  for (const json::Value &entry : ties ? *ties : json::Array()) {
    const json::Array *numbers = entry.getAsArray();
    std::vector<unsigned> tie;
    for (const json::Value &value : numbers ? *numbers : json::Array()) {
      std::optional<int64_t> layer = value.getAsInteger();
      if (!layer || *layer < 0 ||
          *layer >= static_cast<int64_t>(table.layers.size()))
        return wrong("a tie names a layer that is not there");
      tie.push_back(*layer);
    }
    table.ties.push_back(std::move(tie));
  }
  return llvm::Error::success();
}

llvm::Error Reader::read(const json::Object &root) {
  if (root.getString("format") != llvm::StringRef(kFormat) ||
      root.getInteger("version") != kVersion)
    return wrong("expected format \"" + kFormat + "\", version " +
                 llvm::Twine(kVersion));
  table.program = root.getString("program").value_or("").str();
  table.recipe = root.getString("recipe").value_or("").str();
  table.metric = root.getString("metric").value_or("").str();
  table.variant = root.getString("variant").value_or("").str();
  table.samples = root.getInteger("samples").value_or(0);
  table.threads = root.getInteger("threads").value_or(1);
  const json::Object *rest = root.getObject("rest");
  const json::Array *layers = root.getArray("layers");
  if (!rest || !layers)
    return wrong("'rest' or 'layers' is missing");
  if (llvm::Error error = readCosts(*rest, "'rest'", table.rest))
    return error;
  const json::Array *grids = root.getArray("grids");
  for (const json::Value &entry : grids ? *grids : json::Array()) {
    std::vector<std::string> &makers = table.grids.emplace_back();
    const json::Array *names = entry.getAsArray();
    for (const json::Value &name : names ? *names : json::Array())
      makers.push_back(name.getAsString().value_or("").str());
  }
  for (const json::Value &layer : *layers)
    if (llvm::Error error = readLayer(layer))
      return error;
  return readTies(root);
}

} // namespace

llvm::Expected<CostTable> CostTable::read(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return failure("cannot read '" + path +
                   "': " + buffer.getError().message());
  llvm::Expected<json::Value> parsed = json::parse((*buffer)->getBuffer());
  if (!parsed)
    return failure(path + ": " + llvm::toString(parsed.takeError()));
  const json::Object *root = parsed->getAsObject();
  if (!root)
    return failure("'" + path + "' is no table of costs: not an object");
  CostTable table;
  if (llvm::Error error = Reader(path, table).read(*root))
    return std::move(error);
  return table;
}
