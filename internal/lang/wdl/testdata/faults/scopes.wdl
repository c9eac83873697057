version 1.0

import "lib.wdl" as lib

workflow w {
  input { Array[Int] xs Boolean go }
  scatter (x in xs) {
    call lib.add { input: a = x, c = 3 }
    Int inner = add.sum
    if (go) { Int deep = inner }
  }
  Int one = inner
  Int two = x
  Array[Int] sums = add.sum
  Int? d = deep
  Int three = add.smu
  Int four = add
  call add as plus { input: a = 1, b = 2 }
  call lib.nothing
  call lbi.add
  call lib.sub
  call lib.add as add2 { input: a = "x", b = None }
  call w as again
  scatter (xs in xs) { }
  scatter (n in 3) { }
}
task t {
  input { File f }
  command <<< cat ~{g} >>>
  output { Int n = stdin() }
  runtime { dokcer: "x" zones: "y" cpu: [1] memory: f disks: 3 gpu: true }
  parameter_meta { ff: "the file" }
}
#! 8:14: warning: call add is not given "b": whoever starts a run has to, as w.add.b (write call lib.add { input: b = … })
#! 8:34: error: task add has no input "c" (its inputs are a, b)
#! 12:13: error: Int one: expected Int, found Array[Int] (take one item, or declare it as Array[Int])
#! 13:13: error: there is no "x" here
#! 15:12: error: Int? d: expected Int?, found Array[Int?] (take one item, or declare it as Array[Int?])
#! 16:19: error: call add has no output "smu" (did you mean "sum"?)
#! 17:14: error: Int four: expected Int, found outputs of call add (name one of its outputs, such as add.sum)
#! 18:8: error: call add: the task is in the import lib (write call lib.add)
#! 19:12: error: call lib.nothing: lib has no task or workflow "nothing"
#! 20:8: error: call lbi.add: there is no import "lbi" (did you mean "lib"?)
#! 20:12: error: "add" is declared twice; the other is on line 8 (choose another name)
#! 21:3: error: workflow sub cannot be called: its call add lacks "a", "b" (give it in lib.wdl, line 7)
#! 22:37: warning: input a of task add: a String goes for an Int if it is the text of one, and HealthOmics promises that for WDL_LENIENT alone (give an Int)
#! 22:46: error: None came with version 1.1 (leave the value out, or write version 1.1)
#! 22:46: error: input b of task add: expected Int, found None (declare it as Int?)
#! 23:8: error: a workflow does not call itself
#! 24:12: error: "xs" is declared on line 6 already (choose another name)
#! 25:17: error: scatter: expected an array, found Int (use range())
#! 29:21: error: there is no "g" here
#! 30:20: error: there is no function "stdin"
#! 31:13: warning: task t: nothing heeds the runtime keys: dokcer, zones
#! 31:41: warning: task t: cpu: expected Int or Float or String, found Array[Int]+
#! 32:20: note: parameter_meta describes "ff", which is neither input nor output
