package cage

import "os"

// init takes the process over when it was started as a supervisor.
//
// This is the one init function of the project. main would be too late: by
// then every package of the binary is initialised. Go
// initialises packages in the order of their import paths as far as imports
// allow, so this package, which imports little, comes before any of another
// module that begins with a later letter.
func init() {
	if len(os.Args) > 0 && os.Args[0] == Name {
		os.Exit(supervise())
	}
}
