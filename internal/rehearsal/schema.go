package rehearsal

import _ "embed" // for the schema

//go:embed schema.json
var schema []byte

// JSONSchema is a JSON Schema of files of tests, for editors. It knows less
// than [Parse], and what it refuses Parse refuses too.
func JSONSchema() []byte { return append([]byte(nil), schema...) }
