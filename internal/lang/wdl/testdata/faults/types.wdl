version 1.1

struct Person { String name Int? age }
struct Loop { Loop? l }

workflow w {
  input {
    Int? maybe
    Array[String] names
    Persn p
    String ref_fasta = "s3://bucket/ref.fa"  File gs = "gs://bucket/x"
    Directory d
    Map[Array[Int], Int] m
  }
  Int a = maybe
  Int b = 1.5
  String c = names
  Array[Int] e = a
  Boolean f = "x" < 1
  Int g = nmaes[0]
  Int h = length(names, 3)
  Int i = lenght(names)
  Array[String] k = keys(1)
  Person q = Person { nam: "x", age: 1 }
  Person r = object { age: 1 }
  String s = "~{names}" + "~{sep=',' a}"
  String u = "a" + maybe
  Int v = if maybe then 1 else "x"
  Int y = w0 + 1
  Int w0 = y
  Int z = "3"
  Int a = 1
  File out = stdout()
  Int gone
}
#! 4:15: error: struct "Loop" holds itself
#! 10:5: error: type "Persn" is unknown (did you mean "Person"?)
#! 11:5: note: input ref_fasta is a String, which is passed as text and not fetched (write File if tasks are to read it)
#! 11:56: warning: input gs: HealthOmics fetches from s3:// and omics:// alone, not from gs:// (put the file into S3)
#! 12:5: error: Directory came after version 1.1 (write version development)
#! 13:5: error: the keys of a map have no parts; found Array[Int] (use a type such as String or Int)
#! 15:11: error: Int a: expected Int, found Int? (use select_first([…, default]), or declare it as Int?)
#! 16:11: error: Int b: expected Int, found Float (use floor(), ceil() or round())
#! 17:14: error: String c: expected String, found Array[String] (use sep(" ", …))
#! 18:18: error: Array[Int] e: expected Array[Int], found Int (write it in brackets: […])
#! 19:15: error: < compares two numbers, or two texts; found String and Int
#! 20:11: error: there is no "nmaes" here (did you mean "names"?)
#! 21:11: error: length() with 2 arguments (write length(Array[X]))
#! 22:11: error: there is no function "lenght" (did you mean "length"?)
#! 23:26: error: argument 1 of keys(): expected Map[P, Y], found Int (write keys(Map[P, Y]))
#! 24:14: error: struct Person: member String name is missing (add name: …)
#! 24:23: error: struct Person has no member "nam" (did you mean "name"?)
#! 25:14: error: Person r: expected Person, found Object (member String name is missing)
#! 26:17: error: an array in a text needs sep (write ~{sep=" " names})
#! 26:38: error: sep joins an array; found an Int (leave sep out)
#! 27:20: error: + with an Int?, which may be None (use select_first([…, ""]), or put the sum into a placeholder, where None makes it empty)
#! 28:11: warning: Int v: a String goes for an Int if it is the text of one, and HealthOmics promises that for WDL_LENIENT alone (give an Int)
#! 28:14: error: condition: expected Boolean, found Int? (compare it with a number)
#! 29:7: error: a circle: y → w0 → y (each needs the next: have one of them do without)
#! 31:11: warning: Int z: a String goes for an Int if it is the text of one, and HealthOmics promises that for WDL_LENIENT alone (give an Int)
#! 32:7: error: "a" is declared twice; the other is on line 15 (choose another name)
#! 33:14: error: stdout() is for the outputs of a task alone
#! 34:7: error: "gone" has no value and is not an input of the workflow (move it to the input section, or give it a value)
