version 1.1

# fairlead run examples/hello.wdl -i '{"hello.names": ["you", "them"]}'
workflow hello {
  input {
    Array[String]+ names = ["world"]
  }
  scatter (name in names) {
    call greet { input: name = name }
  }
  call count { input: files = greet.greeting }
  output {
    Array[File] greetings = greet.greeting
    Int words = count.words
  }
}

task greet {
  input {
    String name
  }
  command <<<
    echo "Hello, ~{name}!" > greeting.txt
  >>>
  output {
    File greeting = "greeting.txt"
  }
}

task count {
  input {
    Array[File] files
  }
  command <<<
    cat ~{sep=" " files} | wc -w
  >>>
  output {
    Int words = read_int(stdout())
  }
}
