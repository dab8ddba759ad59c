// One case for each constraint label of qd.data_size, qd.check_count and qd.check_size.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @data_size_c1_rank(%count: tensor<1xi64>) {
  // expected-error@+1 {{operand #0 must be 0D tensor of 64-bit signless integer values, but got 'tensor<1xi64>'}}
  %0 = qd.data_size %count "n" : tensor<1xi64>
  return
}

// -----

func.func @data_size_c1_element(%count: tensor<i32>) {
  // expected-error@+1 {{operand #0 must be 0D tensor of 64-bit signless integer values, but got 'tensor<i32>'}}
  %0 = qd.data_size %count "n" : tensor<i32>
  return
}

// -----

func.func @check_size_c1(%size: i64, %count: index) {
  // expected-error@+1 {{'qd.check_size' op operand #0 must be index, but got 'i64'}}
  "qd.check_size"(%size, %count) {what = "elements"} : (i64, index) -> ()
  return
}

// -----

func.func @check_count_c1(%count: tensor<2xi64>) {
  // expected-error@+1 {{operand #0 must be 0D tensor of 64-bit signless integer values, but got 'tensor<2xi64>'}}
  qd.check_count %count "shape" : tensor<2xi64>
  return
}
