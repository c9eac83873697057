package exec

import (
	"context"
)

// Limit returns a driver that runs at most n commands of d at once; others
// wait for their turn, first come first served. A command that is taken up
// again by its handle does not wait: it is running already.
func Limit(d Driver, n int) Driver { return &limited{Driver: d, slots: make(chan struct{}, n)} }

type limited struct {
	Driver
	slots chan struct{}
}

func (l *limited) Run(ctx context.Context, spec Spec, handle string, started func(string) error) (Exit, error) {
	if handle == "" {
		select {
		case l.slots <- struct{}{}:
			defer func() { <-l.slots }()
		case <-ctx.Done():
			// The command may exist all the same, begun by a server that died
			// before it could say so; only the driver knows.
		}
	}
	return l.Driver.Run(ctx, spec, handle, started)
}
