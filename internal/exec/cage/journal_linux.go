package cage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path"
	"strconv"
	"sync"
	"syscall"
)

// A record is one line of the journal: what became of an attempt.
type record struct {
	ID    string
	Claim *Claim `json:",omitempty"` // it is about to run
	Exit  *Exit  `json:",omitempty"` // it has ended
	// Gone says that nothing is known of the attempt any more: it was
	// forgotten, or its cage could not be built and nothing ran.
	Gone bool `json:",omitempty"`
}

// An entry is what the journal knows of an attempt.
type entry struct {
	claim    Claim
	ended    bool
	at, size int64 // of the record with the exit
}

// A journal is the file in which keepers write which attempts they claimed
// and how those ended. A claim is made under a lock on the file, so that no two
// keepers make the same one. A line is a checksum and a record.
type journal struct {
	path     string
	fleeting bool // nothing waits for the disk

	mu      sync.Mutex // guards what follows
	file    *os.File
	read    int64 // bytes of the file that entries knows
	entries map[string]entry
	lines   int // of the file

	sync group
}

// A group makes many wait for one fsync.
type group struct {
	mu      sync.Mutex // guards what follows
	running bool
	waiting []chan turn
	late    bool  // there is what nobody waits for
	problem error // of a sync that nobody waited for
}

// A turn is what becomes of one who waits: it is done, or it is theirs to do.
type turn struct {
	lead bool
	err  error
}

func openJournal(name string) (*journal, error) {
	j := &journal{path: name}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j, j.locked(func() error { return nil })
}

// locked calls f while no other keeper writes, and all that others have
// written is known.
func (j *journal) locked(f func() error) error {
	for {
		if j.file == nil {
			file, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
			if err != nil {
				return err
			}
			j.file, j.read, j.entries, j.lines = file, 0, map[string]entry{}, 0
		}
		fd := int(j.file.Fd())
		if err := flock(fd, syscall.LOCK_EX); err != nil {
			return fmt.Errorf("lock %s: %w", j.path, err)
		}
		// Another keeper may have put a shorter one in its place.
		var here, there syscall.Stat_t
		err := errors.Join(syscall.Fstat(fd, &here), syscall.Stat(j.path, &there))
		if err == nil && here.Ino == there.Ino {
			err = j.catchUp(here.Size)
			if err == nil {
				err = f()
			}
			// f may have put another file in its place, which is locked, too.
			return errors.Join(err, flock(int(j.file.Fd()), syscall.LOCK_UN))
		}
		j.file.Close()
		j.file = nil
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if _, err := os.Stat(path.Dir(j.path)); err != nil {
			return err
		}
	}
}

func flock(fd, how int) error {
	for {
		if err := syscall.Flock(fd, how); err != syscall.EINTR {
			return err
		}
	}
}

// maxRecord bounds a line: an exit with its result, as JSON, is half of it.
const maxRecord = 4 << 20

// catchUp reads what was written since the last time.
func (j *journal) catchUp(size int64) error {
	if size == j.read {
		return nil
	}
	lines := bufio.NewReaderSize(io.NewSectionReader(j.file, j.read, size-j.read), 64<<10)
	for {
		line, n, err := nextLine(lines)
		if err != nil {
			return fmt.Errorf("read %s: %w", j.path, err)
		}
		if n == 0 {
			return nil
		}
		whole := len(line) > 0 && line[len(line)-1] == '\n'
		r, problem := parseRecord(bytes.TrimSuffix(line, []byte{'\n'}))
		if problem == nil && whole {
			j.apply(r, j.read, n)
			j.read += n
			continue
		}
		// It is the last line, unless a whole one follows.
		for n > 0 {
			if line, n, err = nextLine(lines); err != nil {
				return fmt.Errorf("read %s: %w", j.path, err)
			}
			if _, err := parseRecord(bytes.TrimSuffix(line, []byte{'\n'})); err == nil {
				return fmt.Errorf("%s is damaged at byte %d: %w. What attempts have run cannot be told; restore the file, or remove it when no run is unfinished", j.path, j.read, problem)
			}
		}
		// The machine went down while the end was written, and nobody
		// was told what it says.
		if err := j.file.Truncate(j.read); err != nil {
			return fmt.Errorf("cut the unfinished end of %s: %w", j.path, err)
		}
		return nil
	}
}

// nextLine returns the next line with its end and how many bytes it has, 0 at
// the end. Of a line that is longer than a record can be it returns the
// beginning.
func nextLine(r *bufio.Reader) (line []byte, n int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		n += int64(len(part))
		if len(line) < maxRecord {
			line = append(line, part...)
		}
		switch err {
		case bufio.ErrBufferFull:
		case nil, io.EOF:
			return line, n, nil
		default:
			return line, n, err
		}
	}
}

func (j *journal) apply(r record, at, size int64) {
	j.lines++
	e := j.entries[r.ID]
	switch {
	case r.Gone:
		delete(j.entries, r.ID)
		return
	case r.Exit != nil:
		e.ended, e.at, e.size = true, at, size
	case r.Claim != nil:
		e.claim = *r.Claim
	}
	j.entries[r.ID] = e
}

func parseRecord(line []byte) (r record, err error) {
	sum, text, ok := bytes.Cut(line, []byte{' '})
	if !ok {
		return r, errors.New("a line without a checksum")
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || uint32(want) != crc32.ChecksumIEEE(text) {
		return r, errors.New("a line does not have its checksum")
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, err
	}
	if r.ID == "" {
		return r, errors.New("a record without an attempt")
	}
	return r, nil
}

func (r record) line() []byte {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // of strings, numbers and times
	}
	return append(fmt.Appendf(nil, "%08x ", crc32.ChecksumIEEE(text)), append(text, '\n')...)
}

// append writes a record; it is not on disk before flush returns. The caller is in
// locked.
func (j *journal) append(r record) error {
	line := r.line()
	n, err := j.file.Write(line)
	if err != nil {
		// What is there of the line would be damage in the middle.
		if n > 0 {
			err = errors.Join(err, j.file.Truncate(j.read))
		}
		return fmt.Errorf("write %s: %w", j.path, err)
	}
	j.apply(r, j.read, int64(len(line)))
	j.read += int64(len(line))
	return nil
}

// recall returns what was known of an attempt when the journal was last read. An
// end that it knows is one; another keeper may have forgotten the attempt since.
func (j *journal) recall(id string) (e entry, known bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, known = j.entries[id]
	return e, known
}

// look returns what is known of an attempt.
func (j *journal) look(id string) (e entry, known bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	err = j.locked(func() error {
		e, known = j.entries[id]
		return nil
	})
	return e, known, err
}

// claim makes an attempt the caller's, on disk, unless it is known already.
func (j *journal) claim(id string, c Claim) (taken bool, err error) {
	j.mu.Lock()
	err = j.locked(func() error {
		if _, taken = j.entries[id]; taken {
			return nil
		}
		return j.append(record{ID: id, Claim: &c})
	})
	j.mu.Unlock()
	if err != nil || taken {
		return taken, err
	}
	return false, j.flush()
}

// end writes how an attempt ended. It is on disk with the next claim or after
// settle: a machine that goes down before has the attempt lost, as it would be
// had it gone down while the command ran.
func (j *journal) end(id string, x Exit) error {
	err := j.write(record{ID: id, Exit: &x})
	j.sync.mu.Lock()
	j.sync.late = true
	j.sync.mu.Unlock()
	return err
}

// settle has on disk what nobody waited for. If it cannot be, the next claim
// says so.
func (j *journal) settle() {
	g := &j.sync
	g.mu.Lock()
	late := g.late
	g.mu.Unlock()
	if !late {
		return
	}
	if err := j.flush(); err != nil {
		g.mu.Lock()
		g.problem = err
		g.mu.Unlock()
	}
}

// drop makes an attempt unknown.
func (j *journal) drop(id string) error { return j.write(record{ID: id, Gone: true}) }

func (j *journal) write(r record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.locked(func() error {
		if err := j.append(r); err != nil {
			return err
		}
		return j.compact()
	})
}

// maxStale is how many lines the journal may have that say nothing any more, as
// long as they are not most of it.
const maxStale = 10_000

// compact writes the journal anew when most of it is of no use.
func (j *journal) compact() error {
	if j.lines < maxStale+4*len(j.entries) {
		return nil
	}
	file, err := os.OpenFile(j.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("shorten %s: %w", j.path, err)
	}
	k := &journal{path: j.path, file: file, entries: map[string]entry{}}
	for id, e := range j.entries {
		if err = k.append(record{ID: id, Claim: &e.claim}); err != nil {
			break
		}
		if !e.ended {
			continue
		}
		var x Exit
		if x, err = j.exitAt(e); err != nil {
			break
		}
		if err = k.append(record{ID: id, Exit: &x}); err != nil {
			break
		}
	}
	if err := errors.Join(err, file.Sync()); err != nil {
		file.Close()
		return fmt.Errorf("shorten %s: %w", j.path, err)
	}
	// Locked before it can be found, and until the caller unlocks it.
	if err := errors.Join(flock(int(file.Fd()), syscall.LOCK_EX), os.Rename(j.path+".new", j.path)); err != nil {
		file.Close()
		return fmt.Errorf("shorten %s: %w", j.path, err)
	}
	// What is written to the new one must not be lost with its name.
	dir, err := os.Open(path.Dir(j.path))
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	old := j.file
	j.file, j.read, j.entries, j.lines = file, k.read, k.entries, k.lines
	old.Close()
	if err != nil {
		return fmt.Errorf("shorten %s: %w", j.path, err)
	}
	return nil
}

// exit reads how an attempt ended.
func (j *journal) exit(id string) (x Exit, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[id]
	if !ok || !e.ended {
		return x, fmt.Errorf("the end of attempt %s is not in %s", id, j.path)
	}
	return j.exitAt(e)
}

func (j *journal) exitAt(e entry) (x Exit, err error) {
	line := make([]byte, e.size)
	if _, err := j.file.ReadAt(line, e.at); err != nil {
		return x, fmt.Errorf("read %s: %w", j.path, err)
	}
	r, err := parseRecord(line[:len(line)-1])
	if err != nil || r.Exit == nil {
		return x, fmt.Errorf("read %s at byte %d: %w", j.path, e.at, err)
	}
	return *r.Exit, nil
}

// flush returns when all that was appended before is on disk. One fsync
// serves all who come while the one before runs.
func (j *journal) flush() error {
	g := &j.sync
	g.mu.Lock()
	if g.running {
		next := make(chan turn, 1)
		g.waiting = append(g.waiting, next)
		g.mu.Unlock()
		if t := <-next; !t.lead {
			return t.err
		}
		g.mu.Lock()
	}
	served, err := g.waiting, g.problem
	g.running, g.waiting, g.late, g.problem = true, nil, false, nil
	g.mu.Unlock()
	err = errors.Join(err, j.force())
	for _, w := range served {
		w <- turn{err: err}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running = len(g.waiting) > 0; g.running {
		g.waiting[0] <- turn{lead: true}
		g.waiting = g.waiting[1:]
	}
	return err
}

func (j *journal) force() error {
	if j.fleeting {
		return nil
	}
	j.mu.Lock()
	file := j.file
	j.mu.Unlock()
	err := syscall.Fdatasync(int(file.Fd()))
	if err == syscall.EBADF { // shortened meanwhile, and synced
		return nil
	}
	return err
}
