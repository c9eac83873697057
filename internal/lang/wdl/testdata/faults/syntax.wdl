version 1.0

import tasks.wdl

workflow w {
  input {
    String s = "unclosed
    Int n = 1 +
    Array[Int, Int] xs
  }
  call t { input: s: s }
  call t as { }
  scatter (x of xs) { call t }
  Int if = 3
  if (n > 3) { call t as u } else { call t as v }
  Int big = 99999999999999999999
}

task t {
  command {
    echo {}
  }
  ouput { String x = "y" }
}

taks u {}

task v {
  runtime { cpu: 1 memory = "1 GB" }
  input { Int? a = ~ }
}

task w {
  command <<< ~{1 +} >>>
  output { Int x }
  output { Int y = 1 }
#! 3:8: error: expected the document to import in quotes, found "tasks" (put it in quotes)
#! 7:16: error: the text that begins here does not end on its line (write " at its end, and \n for a line end)
#! 9:5: error: expected an expression, found the keyword "Array"
#! 11:19: error: a name alone, for an input of the same name, came with version 1.1 (write s = s)
#! 11:20: error: expected "=" after the name of an input, found ":" (write =)
#! 12:13: error: expected a name for the call, found "{"
#! 13:14: error: expected "in" after the item's name, found "of"
#! 14:7: error: expected a name after the type Int, found the keyword "if" (choose another name)
#! 15:30: error: a conditional has no else in version 1.0 (write if (!condition) { … })
#! 16:13: error: 99999999999999999999 is beyond what an Int holds, which is 64 bits (write it as a Float, with a point)
#! 23:3: error: expected import, struct, task or workflow, found "ouput" (the command above, in { }, ended at the first }: write it in <<< >>>)
#! 26:1: error: expected import, struct, task or workflow, found "taks" (did you mean "task"?)
#! 28:6: error: task "v" has no command (add command <<< … >>>)
#! 29:27: error: expected ":" after the key, found "=" (write : in place of =)
#! 30:20: error: "~" does not begin an expression
#! 34:20: error: expected an expression, found "}"
#! 35:16: error: output "x" has no value (write Int x = …)
#! 36:3: error: a task has one output section; the first is on line 35 (put all of it into one section)
#! 36:22: error: expected "}" to end the task that begins on line 33, found the end of the document
