version development
struct P { String name  Array[Int]+ xs  meta { a: 1 } }
task t {
  input { env String who  P p = P { name: "x", xs: [1] } }
  command <<< echo ~{who} ~{sep=" " p.xs} ~{task.name} >>>
  output { Array[File] fs = glob("*")  File? o = "x" }
  requirements { container: ["a", "b"]  memory: "1 GiB" }
  hints { inputs: input { who: hints { localization_optional: true } }  a.b: 1 }
  meta { volatile: true, tags: ["a", {b: null}] }
}
workflow w {
  input { Int n = 3 }
  scatter (i in range(n)) {
    if (i > 1) { call t { who = "~{i}" } }
    call t as u after t { input: who = <<<
      x
      >>> }
  }
  output { Array[Array[File]?] fs = t.fs  Array[File?] o = u.o }
  hints { allow_nested_inputs: true }
}
