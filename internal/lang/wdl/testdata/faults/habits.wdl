version 1.1
task t {
  input { String name Array[File] bams }
  command <<<
	  echo ${name} ~{bams}
    other=1; echo ${other}
  >>>
  output { File f = "f" }
}
task u {
  command { for f in *; do echo ${f}; done }
}
workflow w {
  input { Map[String, Int] m File f Array[Pair[Int, Int]] ps }
  call t { input: name = "x", bams = [f] }
  scatter (p in m) { Int i = 1 }
  output {
    File g = t
    Int n = len(ps)
    Int l = ps.left
    String s = sub("a", "(?=b)", "")
    String p = f + n
  }
}
#! 4:3: note: task t: ${name} in <<< >>> is a variable of the shell, and not the declaration name (write ~{name})
#! 4:3: warning: task t: lines of the command begin with spaces and others with tabs, so that what they share is counted in characters (use one of them)
#! 5:19: error: an array in a text needs sep (write ~{sep=" " bams})
#! 11:35: error: there is no "f" here (if it is the shell's, write $f, or the command in <<< >>>)
#! 16:17: error: scatter: expected an array, found Map[String, Int] (use as_pairs())
#! 18:14: error: File g: expected File, found outputs of call t (name one of its outputs, such as t.f)
#! 19:13: error: there is no function "len" (write length(…))
#! 20:16: error: an Array[Pair[Int, Int]] has no members; found "left" (take one item, as in array[0].left, or scatter over it)
#! 21:25: warning: sub() fails here: the pattern "(?=b)": invalid or unsupported Perl syntax: `(?=` (patterns are POSIX extended regular expressions, without looking ahead or behind)
#! 22:16: error: +: expected a number, found File (write "~{…}~{…}" to join texts)
