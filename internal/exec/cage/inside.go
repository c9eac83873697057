package cage

// InsideName is argv[0] of process 1 of a container: this binary, shown there
// at this very place. It does for one attempt what a keeper does for many.
const InsideName = "/fairlead/inside"

// Places in the container that the command cannot enter.
const (
	InsideHold = "/fairlead/hold"    // a directory into which only process 1 may
	InsideDir  = InsideHold + "/dir" // the attempt's ReportDir
	InsideLog  = InsideHold + "/log" // the log
)

// ReportDir is where process 1 of a container and the server leave word for
// each other, in the attempt's directory. ClaimFile and ExitFile are there.
const ReportDir = "report"

// Files of a ReportDir.
const (
	OrderFile   = "order.json" // an [Order]; removed once it is read
	StdinFile   = "stdin"      // likewise; not there if it is empty
	FailureFile = "failure"    // why nothing was begun
	ControlFile = "control"    // a named pipe: StopLine
	ForwardFile = "forward"    // and a number, from 0: a socket that stands for the To of that [Forward]
)

// StopLine is the form of the line that tells process 1 of a container to end
// the command, with the grace in nanoseconds.
const StopLine = "stop %d\n"

// An Order tells process 1 of a container what to run. Of Config, what has to
// do with a view of the file system has no meaning.
type Order struct {
	Config
	UID, GID int // of the command
}
