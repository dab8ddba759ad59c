// One case for each constraint label of qd.any_size and qd.sized.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @any_size_c1_rank(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{leaves no more than sizes open: the input is 'tensor<2x3xf32>', the result 'tensor<?xf32>'}}
  %0 = qd.any_size %x : tensor<2x3xf32> to tensor<?xf32>
  return
}

// -----

func.func @any_size_c1_element(%x: tensor<2xf32>) {
  // expected-error@+1 {{the input is 'tensor<2xf32>', the result 'tensor<?xi32>'}}
  %0 = qd.any_size %x : tensor<2xf32> to tensor<?xi32>
  return
}

// -----

func.func @any_size_c1_size(%x: tensor<?xf32>) {
  // expected-error@+1 {{the input is 'tensor<?xf32>', the result 'tensor<2xf32>'}}
  %0 = qd.any_size %x : tensor<?xf32> to tensor<2xf32>
  return
}

// -----

func.func @sized_c1(%x: tensor<?x?xf32>, %n: index) {
  // expected-error@+1 {{states 1 sizes, but 'tensor<?x?xf32>' has 2 to state}}
  %0 = qd.sized %x[%n] : tensor<?x?xf32>
  return
}
