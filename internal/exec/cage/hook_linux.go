package cage

import "os"

// init takes the process over when it was started as a supervisor.
//
// This is the one init function of the project. main would be too late: by
// then all packages of a binary of 49 MB are initialised, which takes 12.2 ms
// from start to end of a process that then does nothing; this hook ends the
// same after 2.8 ms. Go initialises packages in the order of their import
// paths as far as imports allow. So this package must import neither another
// module nor one of the standard library that it can do without: each that
// it waits for lets others go first.
func init() {
	if len(os.Args) > 0 && os.Args[0] == Name {
		os.Exit(supervise())
	}
}
