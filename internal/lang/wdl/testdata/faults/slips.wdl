version 1.1
// what other languages write
import "my-lib.wdl"
task a {
  input { Int n; File[] fs }
  requirements { cpu: 1 }
  command {
    awk '{print $1}'
  }
  runtime { docker = "x" }
}
task b {
  command <<< ~{a >>>
  runtime { docker: ubuntu:latest memory: 4 GB }
}
task c {
  input {
    String s = “x”
    File[] fs
  }
  command <<<
    ~{s
    echo
  >>>
}
workflow x {
  if (s = "a") { call a }
  if (a and b) { call a }
  if (not a) { call a }
  Int y = a ? 1 : 2
  Int z = if a then 1
}
workflow w {
  input {
    String s
  call a
}
#! 2:1: error: expected import, struct, task or workflow, found "/" (a comment begins with #)
#! 3:8: error: the import has no name: that of the file, "my-lib", is none (append: as my_lib)
#! 3:8: error: document "my-lib.wdl" does not exist (did you mean "lib.wdl"?)
#! 5:16: error: expected a declaration, such as "String name", or a section; found ";" (leave it out: a declaration ends without a mark)
#! 6:3: error: the section requirements came after version 1.1 (write runtime, or version development)
#! 8:20: error: expected a declaration, such as "String name", or a section; found "'" (the command above, in { }, ended at the first }: write it in <<< >>>)
#! 10:3: error: expected import, struct, task or workflow, found "runtime" (the command above, in { }, ended at the first }: write it in <<< >>>)
#! 13:20: error: ">" does not begin an expression
#! 14:27: error: expected the next key after the value of docker, found ":" (put the value in quotes)
#! 18:16: error: "“" does not begin an expression (write straight quotes, "…")
#! 19:10: error: expected a type, found "]" (write the type of what is in it in the brackets, such as Array[File])
#! 23:5: error: expected "}" to end the placeholder that begins on line 22, column 5, found "echo"
#! 27:9: error: expected ")" after the condition, found "=" (write == to compare)
#! 28:9: error: expected ")" after the condition, found "and" (write &&)
#! 29:11: error: expected ")" after the condition, found "a" (write ! in place of not)
#! 30:13: error: expected a declaration, such as "String name", or a section; found "?" (write if … then … else …)
#! 32:1: error: expected "else" after the value for true, found "}" (add else and the value for false)
#! 33:10: error: a document has one workflow; "w" is a second one, after "x" (put it into a document of its own and import that)
#! 36:3: error: expected a declaration, such as "String name", or a section; found "call" (close the section above by })
#! 37:1: error: expected "}" to end the workflow that begins on line 33, found the end of the document
