package events

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// A DeadLetter is an event that a sink did not take.
type DeadLetter struct {
	At    time.Time       `json:"at"` // when it was given up
	Tries int             `json:"tries"`
	Error string          `json:"error"`
	ID    string          `json:"id"`
	Kind  string          `json:"detail-type"`
	Run   string          `json:"run"`
	Body  json.RawMessage `json:"event"` // as it was sent
}

// maxDead bounds a file of dead letters, in bytes. Beyond it, the file takes
// the place of an older one.
const maxDead = 64 << 20

// graves are the dead letters of one sink: a file of JSON lines.
type graves struct {
	path string

	mu sync.Mutex
	n  int
}

// openGraves counts what is there. What a redrive was in the middle of is
// dead again.
func openGraves(path string) (*graves, error) {
	g := &graves{path: path}
	left, err := os.ReadFile(g.away())
	switch {
	case err == nil:
		if err := appendLines(path, left); err != nil {
			return nil, err
		}
		if err := os.Remove(g.away()); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	err = g.read(path, func(DeadLetter) bool { g.n++; return true })
	return g, err
}

func (g *graves) away() string { return g.path + ".redrive" }

// count says how many there are.
func (g *graves) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.n
}

// bury adds letters; they are on disk when it returns.
func (g *graves) bury(dead ...DeadLetter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var b bytes.Buffer
	for _, d := range dead {
		line, err := json.Marshal(d)
		if err != nil {
			return err
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	if info, err := os.Stat(g.path); err == nil && info.Size() > maxDead {
		if err := os.Rename(g.path, g.path+".old"); err != nil {
			return err
		}
		g.n = 0
	}
	if err := appendLines(g.path, b.Bytes()); err != nil {
		return err
	}
	g.n += len(dead)
	return nil
}

// list returns the first dead letters.
func (g *graves) list(limit int) ([]DeadLetter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := []DeadLetter{}
	err := g.read(g.path, func(d DeadLetter) bool {
		all = append(all, d)
		return len(all) < limit
	})
	return all, err
}

// read shows each letter of a file, while it is wanted. A line that a crash
// has torn is passed over: its event is sent again.
func (g *graves) read(path string, show func(DeadLetter) bool) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var d DeadLetter
		if json.Unmarshal(line, &d) == nil && d.ID != "" && !show(d) {
			return nil
		}
	}
}

// redrive sends all of them again, in their order, until one is not taken;
// that and those after it stay dead. Letters that die meanwhile are left for
// the next time.
func (g *graves) redrive(ctx context.Context, send func(context.Context, DeadLetter) error) (sent int, err error) {
	g.mu.Lock()
	if _, err := os.Stat(g.away()); err == nil {
		g.mu.Unlock()
		return 0, errors.New("a redrive is under way")
	}
	err = os.Rename(g.path, g.away())
	if err == nil {
		g.n = 0
	}
	g.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var left []DeadLetter
	var failed error
	err = g.read(g.away(), func(d DeadLetter) bool {
		if failed == nil {
			if failed = send(ctx, d); failed == nil {
				sent++
				return true
			}
			d.Error, d.At = failed.Error(), time.Now().UTC()
			d.Tries++
		}
		left = append(left, d)
		return true
	})
	if err == nil && len(left) > 0 {
		err = g.bury(left...)
	}
	if err != nil {
		return sent, err // the next start finds the file
	}
	return sent, errors.Join(failed, os.Remove(g.away()))
}
