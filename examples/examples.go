// Package examples holds definitions to begin with.
package examples

import _ "embed"

// Hello is the smallest workflow that does something.
//
//go:embed hello.yaml
var Hello []byte
