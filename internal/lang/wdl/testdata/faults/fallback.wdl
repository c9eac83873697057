version 1.1

workflow w { call t call u }
task t {
  command <<< >>>
  runtime {
    cpu: 2
    omicsResourceFallbackOrder: [
      {"acceleratorType": "nvidia-l4", "acceleratorCount": 1},
      {"cpu": 4, "memory": "8 GiB"},
      {"acceleratorType": "nvidia-l4"},
      {"cpus": 4},
      3
    ]
  }
}
task u {
  command <<< >>>
  runtime { omicsResourceFallbackOrder: [] }
}
#! 7:5: error: cpu stands beside omicsResourceFallbackOrder (move it into the maps)
#! 8:33: error: the items of an array have one type; found Map[String, String], Map[String, Int], Int
#! 10:7: error: omicsResourceFallbackOrder: a map without an accelerator is the last (move it to the end)
#! 11:7: error: omicsResourceFallbackOrder: acceleratorType and acceleratorCount come together
#! 12:7: error: omicsResourceFallbackOrder: a map without an accelerator is the last (move it to the end)
#! 12:8: error: omicsResourceFallbackOrder: there is no key "cpus" (did you mean "cpu"?)
#! 13:7: error: omicsResourceFallbackOrder: expected a map, found an Int (write {"cpu": 2, "memory": "4 GiB"})
#! 19:41: error: omicsResourceFallbackOrder: expected 1 to 10 maps, found 0
