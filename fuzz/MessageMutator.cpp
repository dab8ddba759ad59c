// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "MessageMutator.h"
#include <limits>

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

namespace qdialect {
namespace {

/// A present field, an element of it when it is repeated.
struct Place {
  Message *owner;
  const FieldDescriptor *field;
  int index; // of a repeated field's element, else -1

  const Reflection *reflection() const { return owner->GetReflection(); }
  bool isText() const {
    return field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  }
  std::string text() const {
    return index < 0 ? reflection()->GetString(*owner, field)
                     : reflection()->GetRepeatedString(*owner, field, index);
  }
  void setText(const std::string &text) const {
    if (index < 0)
      reflection()->SetString(owner, field, text);
    else
      reflection()->SetRepeatedString(owner, field, index, text);
  }
};

void collectPlaces(Message &message, std::vector<Place> &places) {
  std::vector<const FieldDescriptor *> fields;
  const Reflection *reflection = message.GetReflection();
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor *field : fields) {
    bool isMessage = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!field->is_repeated()) {
      places.push_back({&message, field, -1});
      if (isMessage)
        collectPlaces(*reflection->MutableMessage(&message, field), places);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      places.push_back({&message, field, i});
      if (isMessage)
        collectPlaces(*reflection->MutableRepeatedMessage(&message, field, i),
                      places);
    }
  }
}

int64_t oddNumber(std::mt19937 &random) {
  static constexpr int64_t numbers[] = {
      0,         1,         2,         3,         5,         7,     16,
      64,        127,       128,       255,       1000,      65535, 1 << 20,
      INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, -1,        -2,    -3,
      -128,      1ll << 32, 1ll << 40, 1ll << 62, UINT32_MAX};
  return numbers[random() % std::size(numbers)];
}

double oddReal(std::mt19937 &random) {
  using Limits = std::numeric_limits<float>;
  static const double numbers[] = {0.0,
                                   -0.0,
                                   1.0,
                                   -1.0,
                                   0.5,
                                   1e-30,
                                   -1e30,
                                   Limits::max(),
                                   Limits::denorm_min(),
                                   Limits::infinity(),
                                   -Limits::infinity(),
                                   Limits::quiet_NaN()};
  return numbers[random() % std::size(numbers)];
}

void setNumber(const Place &place, std::mt19937 &random) {
  const Reflection *r = place.reflection();
  bool single = place.index < 0;
#define SET(Type, value)                                                       \
  (single                                                                      \
       ? r->Set##Type(place.owner, place.field, value)                         \
       : r->SetRepeated##Type(place.owner, place.field, place.index, value))
  switch (place.field->cpp_type()) {
  case FieldDescriptor::CPPTYPE_INT32:
    return SET(Int32, static_cast<int32_t>(oddNumber(random)));
  case FieldDescriptor::CPPTYPE_INT64:
    return SET(Int64, oddNumber(random));
  case FieldDescriptor::CPPTYPE_UINT64:
    return SET(UInt64, static_cast<uint64_t>(oddNumber(random)));
  case FieldDescriptor::CPPTYPE_FLOAT:
    return SET(Float, static_cast<float>(oddReal(random)));
  case FieldDescriptor::CPPTYPE_DOUBLE:
    return SET(Double, oddReal(random));
  case FieldDescriptor::CPPTYPE_ENUM: {
    const auto *values = place.field->enum_type();
    return SET(Enum, values->value(random() % values->value_count()));
  }
  default:
    return;
  }
#undef SET
}

/// Removes, doubles or moves an element of a repeated field.
void changeCount(const Place &place, std::mt19937 &random) {
  const Reflection *r = place.reflection();
  int size = r->FieldSize(*place.owner, place.field);
  int other = static_cast<int>(random() % size);
  switch (random() % 3) {
  case 0:
    r->SwapElements(place.owner, place.field, place.index, size - 1);
    return r->RemoveLast(place.owner, place.field);
  case 1:
    return r->SwapElements(place.owner, place.field, place.index, other);
  default:
    if (place.field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message *added = r->AddMessage(place.owner, place.field);
      return added->CopyFrom(
          r->GetRepeatedMessage(*place.owner, place.field, place.index));
    }
    if (place.field->cpp_type() == FieldDescriptor::CPPTYPE_INT64)
      return r->AddInt64(place.owner, place.field, oddNumber(random));
    if (place.isText())
      return r->AddString(place.owner, place.field, place.text());
  }
}

void changeText(const Place &place, const std::vector<Place> &places,
                std::mt19937 &random, void (*mutateText)(std::string &)) {
  std::vector<const Place *> others;
  for (const Place &other : places)
    if (other.isText())
      others.push_back(&other);
  // Names in another's place make other graphs of the same parts.
  if (random() % 3 != 0)
    return place.setText(others[random() % others.size()]->text());
  std::string text = place.text();
  mutateText(text);
  place.setText(text);
}

} // namespace

void mutateMessage(Message &message, std::mt19937 &random,
                   void (*mutateText)(std::string &)) {
  std::vector<Place> places;
  collectPlaces(message, places);
  if (places.empty())
    return;
  const Place &place = places[random() % places.size()];
  if (place.index >= 0 && random() % 3 == 0)
    return changeCount(place, random);
  if (place.isText())
    return changeText(place, places, random, mutateText);
  if (place.field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
    return setNumber(place, random);
  if (place.index < 0)
    place.reflection()->ClearField(place.owner, place.field);
  else
    changeCount(place, random);
}

} // namespace qdialect
