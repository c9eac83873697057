version 1.0
task add {
  input { Int a Int b }
  command <<< echo $((~{a} + ~{b})) >>>
  output { Int sum = read_int(stdout()) }
}
workflow sub { call add }
#! 7:21: warning: call add is not given "a", "b": whoever starts a run has to, as sub.add.a (write call add { input: a = … })
