package cage

import "os"

// init takes the process over when it was started as a keeper, or as process 1
// of a container.
//
// This is the one init function of the project. main would be too late: by
// then all packages of a binary of 49 MB are initialised, which takes 10 ms
// more and makes a larger process, whose memory is copied for each attempt. Go initialises packages in the order of their import
// paths as far as imports allow. So this package must import neither another
// module nor one of the standard library that it can do without: each that
// it waits for lets others go first.
func init() {
	if len(os.Args) == 0 {
		return
	}
	switch os.Args[0] {
	case Name:
		os.Exit(keep())
	case InsideName:
		os.Exit(liveInside())
	case becomeName:
		becomeInside()
	}
}
