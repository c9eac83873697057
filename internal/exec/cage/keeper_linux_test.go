package cage

import (
	"os"
	"runtime"
	"testing"
)

// TestKeeperIsAlone checks that a keeper stays the one of its directory, and
// finds its socket, whatever the garbage collector takes.
func TestKeeperIsAlone(t *testing.T) {
	setup := &Setup{Root: t.TempDir(), Socket: SocketFile}
	k := &keeper{setup: setup}
	listener, taken, err := k.listen()
	if err != nil || taken {
		t.Fatalf("listen: taken %t, %v", taken, err)
	}
	defer listener.Close()
	for range 3 { // what one collection finds may be closed after the next
		collected := make(chan struct{})
		runtime.AddCleanup(new([64]byte), func(done chan struct{}) { close(done) }, collected)
		runtime.GC()
		<-collected
	}
	other := &keeper{setup: setup}
	if l, taken, err := other.listen(); err != nil || !taken {
		t.Errorf("a second keeper: taken %t, %v; want that there is one", taken, err)
		l.Close()
	}
	if _, err := os.Stat(k.socket); err != nil {
		t.Errorf("the keeper does not find its socket: %v", err)
	}
	runtime.KeepAlive(k)
}
