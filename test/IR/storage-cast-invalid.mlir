// One case for each constraint label of qd.storage_cast.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @storage_cast_c1_other_width(%q: !qd.uint<8>) {
  // expected-error@+1 {{operand type '!qd.uint<8>' and result type 'i4' are cast incompatible}}
  %0 = qd.storage_cast %q : !qd.uint<8> to i4
  return
}

// -----

func.func @storage_cast_c1_open_size(%q: tensor<4xi8>) {
  // expected-error@+1 {{operand type 'tensor<4xi8>' and result type 'tensor<?x!qd.uint<8>>' are cast incompatible}}
  %0 = qd.storage_cast %q : tensor<4xi8> to tensor<?x!qd.uint<8>>
  return
}

// -----

func.func @storage_cast_c1_closed_size(%q: tensor<?xi8>) {
  // expected-error@+1 {{are cast incompatible}}
  %0 = qd.storage_cast %q : tensor<?xi8> to tensor<4x!qd.uint<8>>
  return
}

// -----

func.func @storage_cast_c1_layout(%q: memref<4xi8, strided<[2]>>) {
  // expected-error@+1 {{are cast incompatible}}
  %0 = qd.storage_cast %q : memref<4xi8, strided<[2]>> to memref<4x!qd.uint<8>>
  return
}

// -----

func.func @storage_cast_c1_memory_space(%q: memref<4xi8, 3>) {
  // expected-error@+1 {{are cast incompatible}}
  %0 = qd.storage_cast %q : memref<4xi8, 3> to memref<4x!qd.uint<8>>
  return
}

// -----

func.func @storage_cast_c1_encoding(%q: tensor<4xi8, 3 : i32>) {
  // expected-error@+1 {{are cast incompatible}}
  %0 = qd.storage_cast %q : tensor<4xi8, 3 : i32> to tensor<4x!qd.uint<8>>
  return
}
