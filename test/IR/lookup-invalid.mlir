// One case for each constraint label of qd.lookup.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @lookup_c1_tensor_to_scalar(%q: tensor<4xi8>, %t: tensor<256xi8>) {
  // expected-error@+1 {{input type 'tensor<4xi8>' and result type 'i8' are not both scalars, vectors or ranked tensors}}
  %0 = qd.lookup %q, %t : tensor<4xi8>, tensor<256xi8> -> i8
  return
}

// -----

func.func @lookup_c2_result_shape(%q: tensor<4xi8>, %t: tensor<256xi8>) {
  // expected-error@+1 {{result type 'tensor<5xi8>' differs in shape from input type 'tensor<4xi8>'}}
  %0 = qd.lookup %q, %t : tensor<4xi8>, tensor<256xi8> -> tensor<5xi8>
  return
}

// -----

func.func @lookup_c3_wide_codes(%q: tensor<4xi32>, %t: tensor<256xi8>) {
  // expected-error@+1 {{codes element type 'i32' is not an alphabet of at most 16 bits}}
  %0 = qd.lookup %q, %t : tensor<4xi32>, tensor<256xi8> -> tensor<4xi8>
  return
}

// -----

func.func @lookup_c4_short_table(%q: tensor<4xi8>, %t: tensor<255xi8>) {
  // expected-error@+1 {{table type 'tensor<255xi8>' is not a row of 256 elements}}
  %0 = qd.lookup %q, %t : tensor<4xi8>, tensor<255xi8> -> tensor<4xi8>
  return
}

// -----

func.func @lookup_c5_result_element(%q: tensor<4xi8>, %t: tensor<256xi8>) {
  // expected-error@+1 {{result element type 'i16' is not the table's 'i8'}}
  %0 = qd.lookup %q, %t : tensor<4xi8>, tensor<256xi8> -> tensor<4xi16>
  return
}
