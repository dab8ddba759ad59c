// One case for each constraint label of qd.storage_cast.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @storage_cast_c1_other_width(%q: !qd.uint<8>) {
  // expected-error@+1 {{operand type '!qd.uint<8>' and result type 'i4' are cast incompatible}}
  %0 = qd.storage_cast %q : !qd.uint<8> to i4
  return
}
