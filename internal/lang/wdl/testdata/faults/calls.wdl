version 1.0

import "http://example.com/x.wdl" as net
import "../outside.wdl"
import "calls.wdl" as self
import "missing.wdl"

workflow w { call net.t }
#! 3:8: error: import "http://example.com/x.wdl": documents are not fetched from the network (put the document beside this one and import it by a relative path)
#! 4:8: error: import "../outside.wdl" leads out of the definition (put the document beside this one and import it by a relative path)
#! 5:8: error: documents import one another: calls.wdl → calls.wdl (move what both need into a third document)
#! 6:8: error: document "missing.wdl" does not exist
