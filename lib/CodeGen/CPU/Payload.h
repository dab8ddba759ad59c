// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluates the element-wise steps of a region on 16 lanes: every scalar op of
// a payload becomes its vector form. Casts to and from i8 codes, where
// epilogues spend their time, have their own short sequences.
//
// i8 codes live in registers as i32 lanes in offset binary (code + 128), just
// as they lie in memory: a load is one widening move, a store one narrowing
// move, and the clamp of a requantization stays pending until it can be part of
// that move.

#ifndef QDIALECT_LIB_CODEGEN_CPU_PAYLOAD_H
#define QDIALECT_LIB_CODEGEN_CPU_PAYLOAD_H

#include "Emitter.h"
#include "KernelRegion.h"
#include "WideLanes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

namespace qdialect::cpu {

/// 16 lanes of one scalar value.
struct Lanes {
  using Value = mlir::Value;
  Value plain;  ///< vector<16xT>; absent while only `offset` exists
  Value offset; ///< i8: vector<16xi32> of code + 128
  /// i8: code + 128 before its clamp is zero + number / 2^digits, rounded half
  /// up; stands in for `offset`, because packed stores round faster.
  struct FixedPoint {
    Value number; ///< vector<16xi32>
    Value digits; ///< vector<16xi32>, in [1, Epilogue::kMostDigits]
    Value zero;   ///< vector<16xi32>, in [0, 255]
  };
  std::optional<FixedPoint> fixed;
  /// i8: `offset` before its clamp is rounded + zero. What a code is apart from
  /// its zero point is clamped without adding that first.
  Value rounded, zero;
  /// i32: `plain` is mantissa - PayloadEmitter::kBits + addend; the mantissa is
  /// that of an f32, too.
  Value mantissa, addend;
  bool pending = false; ///< `offset` must still be clamped to [low, high]
  int64_t low = 0, high = 255;
  std::optional<int64_t> known; ///< the same integer in every lane
  /// Integers: vector<16xi32> with the same numbers; the scalar has `bits`.
  Value words;
  unsigned bits = 32;
  Halves wide; ///< i64

  static Lanes of(Value plain) {
    Lanes lanes;
    lanes.plain = plain;
    return lanes;
  }
  static Lanes codes(Value offset) {
    Lanes lanes;
    lanes.offset = offset;
    return lanes;
  }
  static Lanes fixedPoint(FixedPoint fixed) {
    Lanes lanes;
    lanes.fixed = fixed;
    lanes.pending = true;
    return lanes;
  }
  static Lanes ofMantissa(Value mantissa, Value addend) {
    Lanes lanes;
    lanes.mantissa = mantissa;
    lanes.addend = addend;
    return lanes;
  }
  static Lanes ofWords(Value words, unsigned bits) {
    Lanes lanes;
    lanes.words = words;
    lanes.bits = bits;
    return lanes;
  }
  static Lanes ofHalves(Halves wide) {
    Lanes lanes;
    lanes.wide = wide;
    return lanes;
  }
};

/// Where in the epilogue's loops the lanes stand.
struct Position {
  using Value = mlir::Value;
  /// One counter a loop; the last is that of lane 0, before `laneOffset`.
  llvm::SmallVector<Value> counters;
  int64_t laneOffset = 0;
  /// Which lanes exist; null means all.
  Value mask;

  /// The epilogue's loops where its innermost stands at `column` and the
  /// others, joined row-major, at `row`.
  static Position at(Emitter &e, const Epilogue &epilogue, Value row,
                     Value column);
};

class PayloadEmitter {
public:
  using Value = mlir::Value;

  /// 1.5 * 2^23 as an f32. Integers up to 2^22 that are added to it stand in
  /// the low bits of the sum, rounded half to even like every sum.
  static constexpr int32_t kBits = 0x4B400000;

  PayloadEmitter(Emitter &e, const Epilogue &epilogue, Value arguments)
      : e(e), epilogue(epilogue), arguments(arguments) {}

  /// Promises that all operands start at multiples of `base` bytes and that
  /// positions have columns that are multiples of `columns`.
  void promiseAlignment(int64_t base, int64_t columns) {
    baseAlignment = base;
    columnAlignment = columns;
  }

  /// Says that the code stands among multiplications of tiles. Meanwhile a core
  /// multiplies, converts and compares 64 bytes on one of its two ports, but
  /// adds on both: rounding and conversion become additions.
  void standAmongTiles() { isAmongTiles = true; }

  /// Loads the pointers of all operands here; must dominate every other call.
  void begin();

  /// Reads the constants of a row's results from `column` on here, once for all
  /// rows of these columns; must dominate the calls for them.
  void readColumns(Value column, int64_t channels);

  /// The result's lanes at `position`, given those of the root (if any).
  Lanes evaluate(const Position &position, std::optional<Lanes> root);

  /// Writes neighbouring results: part i stands 16 * i lanes after `position`.
  /// Only the last may be masked.
  void store(llvm::ArrayRef<Lanes> parts, const Position &position);

  /// Evaluates and writes `channels` neighbouring results from `position` on;
  /// `root` gives the root's lanes of vector number v.
  void storeRow(Position position, int64_t channels,
                llvm::function_ref<Lanes(int64_t v)> root);

  /// The value as a vector of its scalar type.
  Value plain(Lanes &lanes);
  /// i8 as clamped offset-binary i32 lanes.
  Value offset(Lanes &lanes);
  /// i8 as i32 lanes of code - zeroPoint.
  Lanes centred(Lanes &lanes, int64_t zeroPoint);
  /// An i32 as f32 lanes.
  Value real(Lanes &lanes);
  /// An integer that fits as i32 lanes; null for i64 lanes of which that is not
  /// known.
  Value words(Lanes &lanes);
  /// An i64.
  Halves halves(Lanes &lanes);

private:
  struct Frame; // one evaluation

  /// Every operand that is read from memory.
  void
  forEachInMemory(llvm::function_ref<void(const Epilogue::Operand &)> visit);
  /// No store of the kernel changes it, and the slack behind it (tensorBlob) is
  /// enough for a whole vector.
  bool isConstant(const Epilogue::Operand &operand) const;
  Value address(unsigned argument, mlir::Type element, const LinearForm &form,
                const Position &position);
  /// Of the first lane's address, in bytes.
  unsigned alignmentOf(mlir::Type element, const LinearForm &form,
                       const Position &position) const;
  Lanes load(const Epilogue::Operand &operand, const Position &position);
  Lanes splat(mlir::Attribute attribute);
  /// A parameter of the kernel or a part of its code.
  Lanes constantLanes(Value constant);
  Lanes tensorValue(Frame &frame, Value tensor);
  Lanes operandValue(Frame &frame, mlir::OpOperand &use);
  Lanes lookup(Lanes codes, qd::LookupOp op);
  Lanes scalarOp(Frame &frame, mlir::Operation *op);
  Lanes extract(Frame &frame, mlir::tensor::ExtractOp op);
  std::optional<Lanes> tableEntry(Frame &frame, mlir::tensor::ExtractOp op);
  /// Is the scalar of a payload the same in all lanes?
  bool isUniform(mlir::Value scalar) const;
  Lanes ofLoaded(Value raw, mlir::Type element);
  std::optional<Lanes> codeOp(Frame &frame, mlir::Operation *op);
  /// i64 arithmetic and dyadic rescaling (PayloadWide.cpp).
  std::optional<Lanes> wideOp(Frame &frame, mlir::Operation *op);
  std::optional<Lanes> rescale(Frame &frame, qd::RescaleOp op);
  /// Sums of codes times constants of 16 bits (PayloadDot.cpp).
  std::optional<Lanes> dotOp(Frame &frame, mlir::arith::AddIOp op);
  /// i32 lanes of the floor of product >> (shift - digits), of a number next to
  /// it on its even side where it lies half way between two codes.
  Value shifted(Halves product, Value shift, Value digits,
                const Epilogue::Shift &facts);
  /// The same of numbers that leave room for half a step in 32 bits.
  Value shifted(Value number, Value shift, Value digits,
                const Epilogue::Shift &facts);
  /// zero + number / 2^digits, rounded half up.
  Value rounded(const Lanes::FixedPoint &fixed);
  /// i32 lanes of product >> shift, rounded half to even; shifts are at most
  /// 32.
  Value roundLow(Halves product, Value shift);
  Value plainOfWide(Lanes &lanes);
  /// `real` rounded to codes of 8 or 16 bits.
  Lanes toCodes(mlir::Type alphabet, Value real, Value zeroPoint,
                std::optional<int64_t> knownZeroPoint,
                std::optional<Interval> range);
  Lanes cloned(Frame &frame, mlir::Operation *op);
  Value narrowed(Lanes lanes);
  /// Two vectors of codes + 128 as words: of each 128 bits the one's lanes,
  /// then the other's.
  Value packedWords(const Lanes &low, const Lanes &high);
  bool storePacked(llvm::ArrayRef<Lanes> parts, Value pointer, Value mask);

  Emitter &e;
  const Epilogue &epilogue;
  Value arguments;
  llvm::DenseMap<unsigned, Value> pointers;
  /// The lanes of Epilogue::parameters.
  llvm::DenseMap<Value, Value> parameters;
  /// What readColumns read, by operand and lane.
  llvm::DenseMap<std::pair<const Epilogue::Operand *, int64_t>, Lanes> columns;
  int64_t baseAlignment = 1, columnAlignment = 1;
  bool isAmongTiles = false;
};

/// All lanes of a constant among the epilogue's parameters.
mlir::Value loadParameter(Emitter &e, const Epilogue &epilogue,
                          mlir::Value arguments, mlir::Value constant);

/// The address of the first element that passes through.
mlir::Value passThroughStart(Emitter &e, const Epilogue &epilogue,
                             mlir::Value arguments);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_PAYLOAD_H
