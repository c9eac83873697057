package cage

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"fairlead/internal/ebb"
	"fairlead/internal/killpoint"
)

// A keeper sees all attempts of a directory through.
type keeper struct {
	setup   *Setup
	self    Keeper
	socket  string // a path that fits into an address
	journal *journal
	null    *os.File
	root    *os.File // the directory of attempts: socket is a name in it
	lock    *os.File // held, and locked, for life: a lock ends with its file
	arena   *arena   // where process 1 of an attempt has its plan
	image   image    // what it keeps of this process's memory
	key     uint64   // that of filter
	filter  filter   // of system calls
	calls   []instruction
	dead    chan corpse

	busy  atomic.Int32 // requests that are being answered
	waits atomic.Bool  // a thread waits for the next one

	mu        sync.Mutex // guards what follows
	live      map[string]*attempt
	templates map[string]*template
	warms     map[string]*warmth
	users     int // connections
	idle      time.Time
	pooled    int // directories in PoolDir, as far as known
	pool      int // number of the next one
}

const (
	// linger is how long a keeper stays that has nothing to do.
	linger = 30 * time.Second
	// lookAround is how often it sees whether it is wanted.
	lookAround = time.Second
)

// keep is the life of a keeper. It returns its exit status.
func keep() int {
	setup, err := readSetup()
	if err != nil {
		return say(Status{Failure: err.Error()})
	}
	k := &keeper{
		setup: setup, live: map[string]*attempt{}, templates: map[string]*template{}, warms: map[string]*warmth{},
		idle: time.Now(), dead: make(chan corpse, 1024),
	}
	if err := k.prepare(); err != nil {
		return say(Status{Failure: err.Error()})
	}
	if setup.Probe != nil {
		filtered, err := k.probe()
		if err != nil {
			return say(Status{Failure: err.Error()})
		}
		return say(Status{Ready: true, Filtered: filtered})
	}
	listener, taken, err := k.listen()
	switch {
	case err != nil:
		return say(Status{Failure: err.Error()})
	case taken:
		return say(Status{Taken: true})
	}
	go k.bury()
	go k.accept(listener)
	say(Status{Ready: true})
	for looks := 0; k.wanted(); looks++ {
		k.journal.settle()
		time.Sleep(lookAround)
		if looks == 0 {
			_ = ebb.Program() // else it is larger than it need be
		}
	}
	return 0
}

func readSetup() (*Setup, error) {
	// Whatever else the server had inherited without close-on-exec is none
	// of ours.
	_, _, _ = syscall.Syscall(sysCloseRange, StatusFD+1, 1<<31-1, 0)
	for fd := 0; fd <= StatusFD; fd++ {
		syscall.CloseOnExec(fd)
	}
	f := os.NewFile(SetupFD, "setup")
	defer f.Close()
	var s Setup
	if err := json.NewDecoder(f).Decode(&s); err != nil {
		return nil, fmt.Errorf("read the setup: %w", err)
	}
	return &s, nil
}

// say tells the server how the start went; the server may be gone.
func say(st Status) int {
	b, err := json.Marshal(st)
	if err != nil {
		panic(err) // a struct of strings and booleans
	}
	_, _ = syscall.Write(StatusFD, append(b, '\n'))
	_ = syscall.Close(StatusFD)
	if st.Failure != "" {
		return 1
	}
	return 0
}

func (k *keeper) prepare() (err error) {
	syscall.Umask(0o022)
	if err := k.checkKernel(); err != nil {
		return err
	}
	if k.self, err = identity(); err != nil {
		return err
	}
	k.self.Protocol, k.self.Socket = Protocol, k.setup.Socket
	if !k.setup.Plain {
		// What the machine mounts later is seen here, not the other way.
		if err := mount("", "/", "", syscall.MS_REC|syscall.MS_SLAVE, ""); err != nil {
			return err
		}
	}
	if k.null, err = os.Open(os.DevNull); err != nil {
		return err
	}
	if k.arena, k.image, err = newImage(); err != nil {
		return err
	}
	var key [8]byte
	if _, err := rand.Read(key[:]); err != nil {
		return err
	}
	k.key = binary.LittleEndian.Uint64(key[:])
	k.calls = newFilter(&k.key)
	k.filter.set(k.calls)
	// Nobody in a cage may look into its keeper.
	if err := prctl(prSetDumpable, 0); err != nil {
		return fmt.Errorf("hide the keeper's memory: %w", err)
	}
	return nil
}

// checkKernel refuses a kernel that lacks what a keeper cannot do without.
func (k *keeper) checkKernel() error {
	for _, c := range []struct {
		name, since string
		number      uintptr
		always      bool
	}{
		{"close_range", "5.9", sysCloseRange, true},
		{"open_tree", "5.2", sysOpenTree, false},
		{"move_mount", "5.2", sysMoveMount, false},
	} {
		if k.setup.Plain && !c.always {
			continue
		}
		// No such descriptors, so nothing happens.
		if _, _, e := syscall.Syscall6(c.number, 1<<31-1, 0, 1<<31-1, 0, 0, 0); e == syscall.ENOSYS {
			return fmt.Errorf("the kernel has no %s: Linux %s or newer is needed, and a container must permit the call", c.name, c.since)
		}
	}
	return nil
}

// identity says who this process is.
func identity() (k Keeper, err error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return k, err
	}
	if k.PID, k.Start, err = ParseStat(stat); err != nil {
		return k, err
	}
	k.Boot, err = BootID()
	return k, err
}

// probe builds a cage and comes as far in it as to what would be executed.
func (k *keeper) probe() (filtered bool, err error) {
	go k.bury()
	a := newAttempt(k, "", k.setup.Probe)
	defer a.close()
	if err := a.build(); err != nil {
		return false, err
	}
	a.give()
	filtered = filters(strconv.Itoa(a.template.zygote.pid)) > filters("self")
	for {
		n, err := a.note()
		switch {
		case err != nil:
			return filtered, err
		case n.kind == noteReady:
			a.say(sayGo)
		case n.kind == noteMap:
			if err := a.mapUser(); err != nil {
				return filtered, fmt.Errorf("give the command its user: %w", err)
			}
		case n.kind == noteEnd:
			return filtered, nil
		case n.errno != 0:
			return filtered, a.failure(n)
		}
	}
}

// filters returns how many filters of system calls a process has.
func filters(pid string) int {
	status, err := os.ReadFile(path.Join("/proc", pid, "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if n, ok := strings.CutPrefix(line, "Seccomp_filters:"); ok {
			count, _ := strconv.Atoi(strings.TrimSpace(n)) // zero if it is stranger
			return count
		}
	}
	return 0
}

// listen makes the socket, unless another keeper has it.
func (k *keeper) listen() (listener *os.File, taken bool, err error) {
	// Kept where the garbage collector, which closes files, does not take them.
	if k.root, err = os.Open(k.setup.Root); err != nil {
		return nil, false, err
	}
	k.lock, err = os.OpenFile(path.Join(k.setup.Root, k.setup.Socket+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, err
	}
	if err := syscall.Flock(int(k.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, err == syscall.EWOULDBLOCK, ignore(err, syscall.EWOULDBLOCK)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.journal, err = openJournal(path.Join(k.setup.Root, JournalFile)); err != nil {
		return nil, false, err
	}
	k.journal.fleeting = k.setup.Fleeting
	if err := os.Mkdir(path.Join(k.setup.Root, PoolDir), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, false, err
	}
	k.pool = int(time.Now().UnixNano())
	// A short name for a directory that may have a long one: the address of
	// a socket has 108 bytes.
	k.socket = path.Join("/proc/self/fd", strconv.Itoa(int(k.root.Fd())), k.setup.Socket)
	if err := os.Remove(k.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, false, err
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, false, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: k.socket}); err != nil {
		return nil, false, fmt.Errorf("listen at %s: %w", k.socket, err)
	}
	if err := errors.Join(os.Chmod(k.socket, 0o600), syscall.Listen(fd, 4096)); err != nil {
		return nil, false, fmt.Errorf("listen at %s: %w", k.socket, err)
	}
	text, err := json.Marshal(k.self)
	if err != nil {
		return nil, false, err
	}
	file := path.Join(k.setup.Root, KeeperFile)
	if err := errors.Join(os.WriteFile(file+".new", text, 0o600), os.Rename(file+".new", file)); err != nil {
		return nil, false, err
	}
	return os.NewFile(uintptr(fd), "keeper"), false, nil
}

func ignore(err, what error) error {
	if err == what {
		return nil
	}
	return err
}

// wanted reports whether the keeper should go on. When it should not, nobody
// can come any more.
func (k *keeper) wanted() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	k.prune(now)
	k.cool(now)
	// Without the directory nobody can ask for an attempt any more.
	_, err := os.Stat(k.setup.Root)
	if !errors.Is(err, os.ErrNotExist) && (k.users > 0 || len(k.live) > 0) {
		k.idle = now
		return true
	}
	if _, err = os.Stat(k.socket); err == nil && now.Sub(k.idle) < linger {
		return true
	}
	// A server that connects now finds nobody, or is cut off before it has
	// an answer, and starts another keeper.
	_ = os.Remove(k.socket)
	k.journal.settle()
	os.Exit(0)
	return false
}

func (k *keeper) accept(listener *os.File) {
	conn, err := listener.SyscallConn()
	if err != nil {
		panic(err) // an open file
	}
	for {
		var fd int
		var problem error
		err := conn.Read(func(l uintptr) bool {
			fd, _, problem = syscall.Accept4(int(l), syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK)
			return problem != syscall.EAGAIN
		})
		if err := errors.Join(err, problem); err != nil {
			time.Sleep(10 * time.Millisecond) // out of descriptors, perhaps
			continue
		}
		k.mu.Lock()
		k.users++
		k.mu.Unlock()
		file := os.NewFile(uintptr(fd), "server")
		go k.serve(&client{k: k, fd: uintptr(fd), file: file, in: bufio.NewReader(file)})
	}
}

// A corpse is a process 1 to collect, with what it has.
type corpse struct {
	pid, nest int
	zygote    *zygote
}

// bury collects the processes 1 of attempts that are over.
func (k *keeper) bury() {
	for c := range k.dead {
		wait(c.pid)
		c.zygote.vacate(c.nest)
	}
}

func wait(pid int) {
	for {
		if _, err := syscall.Wait4(pid, nil, syscall.WALL, nil); err != syscall.EINTR {
			return
		}
	}
}

// A client is a connection to a server. The goroutine of serve owns it.
type client struct {
	k    *keeper
	fd   uintptr // of file
	file *os.File
	in   *bufio.Reader
	more chan Request // nil until another goroutine reads requests
}

// serve answers the requests of a connection, one after another.
func (k *keeper) serve(c *client) {
	for {
		r, err := c.next()
		if err != nil {
			break // it went away
		}
		k.busy.Add(1)
		k.answer(c, r)
		k.busy.Add(-1)
	}
	c.file.Close()
	k.mu.Lock()
	k.users--
	k.idle = time.Now()
	k.mu.Unlock()
}

func (k *keeper) answer(c *client, r Request) {
	switch r.Op {
	case OpRun:
		k.run(c, r)
	case OpStop: // of an attempt that has ended meanwhile
	case OpForget:
		c.tell(k.forget(r.ID))
	case OpKill:
		c.tell(k.kill(r.ID))
	case OpPing:
		c.tell(Answer{})
	case OpList:
		c.tell(k.list())
	default:
		c.tell(Answer{Failure: fmt.Sprintf("the keeper of protocol %d does not know %q", Protocol, r.Op)})
	}
}

// shortly is how long a thread may wait for what usually comes at once.
const shortly = 2 * time.Millisecond

// moment is how long the caller, who has a request to see to, may wait with its
// thread: not at all where others have one, too. To let the runtime wait costs
// more than most of what an attempt has the keeper do: it puts the thread to
// sleep, and others that look for work or watch over it, and wakes them again.
func (k *keeper) moment() time.Duration {
	if k == nil || k.busy.Load() > 1 {
		return 0
	}
	return shortly
}

// next returns the next request.
func (c *client) next() (r Request, err error) {
	if c.more != nil {
		r, ok := <-c.more
		if !ok {
			return r, io.EOF
		}
		return r, nil
	}
	if c.in.Buffered() == 0 && c.k.busy.Load() == 0 && c.k.waits.CompareAndSwap(false, true) {
		fds := [1]pollFD{{fd: int32(c.fd), events: pollIn}}
		poll(fds[:], shortly)
		c.k.waits.Store(false)
	}
	return c.hear()
}

// listen has requests read while another is answered.
func (c *client) listen() {
	if c.more != nil {
		return
	}
	c.more = make(chan Request)
	go func() { // ends with the connection
		defer close(c.more)
		for {
			r, err := c.hear()
			if err != nil {
				return // it went away
			}
			c.more <- r
		}
	}()
}

func (c *client) hear() (r Request, err error) { return r, ReadMessage(c.in, &r) }

func (c *client) tell(a Answer) { _ = WriteMessage(c.file, a) } // a server that is gone asks again

// ReadMessage reads a message of server or keeper.
func ReadMessage(r io.Reader, into any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > MaxMessage {
		return fmt.Errorf("a message of %d bytes; at most %d are possible", size, MaxMessage)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// WriteMessage writes a message to a server or keeper.
func WriteMessage(w io.Writer, m any) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(text) > MaxMessage {
		return fmt.Errorf("a message of %d bytes; at most %d are possible", len(text), MaxMessage)
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}

// run starts an attempt, or finds it, and sees it through with the server.
func (k *keeper) run(c *client, r Request) {
	a, begins, answer := k.find(r)
	mine := begins && c.more == nil
	switch {
	case a == nil:
		c.tell(answer)
		return
	case mine:
		// This goroutine is the attempt's until it has ended, whether or not the
		// server stays.
		a.server = c
		a.run()
	case begins:
		go a.run() // the keeper does not end while it is in live
	}
	<-a.begun
	if a.failed != "" {
		c.tell(Answer{Failure: a.failed})
		return
	}
	if a.taken {
		// Another keeper was faster; it has said so in the journal.
		_, _, answer := k.find(Request{ID: r.ID, Known: true})
		c.tell(answer)
		return
	}
	if !mine {
		c.tell(Answer{Running: true})
		if !c.follow(a, r) {
			return
		}
	}
	if a.failed != "" {
		c.tell(Answer{Failure: a.failed})
	} else {
		c.tell(Answer{Exit: &a.exit})
	}
}

// follow returns when an attempt has ended that another goroutine sees
// through, or when the server has gone away.
func (c *client) follow(a *attempt, r Request) (ended bool) {
	if r.Stopped {
		a.stop(r.Grace)
	}
	c.listen()
	for {
		select {
		case <-a.done:
			return true
		case r, ok := <-c.more:
			if !ok {
				return false
			}
			if r.Op == OpStop && r.ID == a.id {
				a.stop(r.Grace)
			}
		}
	}
}

// find returns the attempt that is this keeper's, or else the answer. With begins
// it has just become the keeper's, and the caller has to run it.
func (k *keeper) find(r Request) (a *attempt, begins bool, answer Answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if a := k.live[r.ID]; a != nil {
		return a, false, Answer{}
	}
	e, known := k.journal.recall(r.ID)
	var err error
	if !e.ended && (known || r.Known || r.Stopped) {
		// Others may know more. Of what is to start the claim tells it.
		e, known, err = k.journal.look(r.ID)
	}
	switch {
	case err != nil:
		return nil, false, Answer{Failure: err.Error()}
	case known && e.ended:
		x, err := k.journal.exit(r.ID)
		if err != nil {
			return nil, false, Answer{Failure: err.Error()}
		}
		return nil, false, Answer{Running: true, Exit: &x}
	case known:
		return nil, false, k.claimed(r.ID, e.claim)
	case r.Known:
		return nil, false, Answer{Lost: true}
	case r.Stopped:
		now := time.Now()
		x := Exit{Why: stopped, Code: -1, Started: now, Ended: now}
		taken, err := k.journal.claim(r.ID, Claim{Boot: k.self.Boot})
		if err == nil && !taken {
			err = k.journal.end(r.ID, x)
		}
		if err != nil {
			return nil, false, Answer{Failure: err.Error()}
		}
		return nil, false, Answer{Running: true, Exit: &x}
	case r.Config == nil:
		return nil, false, Answer{Failure: "a request to start without a command"}
	}
	a = newAttempt(k, r.ID, r.Config)
	k.live[r.ID] = a
	return a, true, Answer{}
}

// claimed says what there is to say of an attempt that a keeper claimed which
// is not this one, or is no more.
func (k *keeper) claimed(id string, c Claim) Answer {
	if c.Keeper != nil && *c.Keeper != k.self && alive(c.Keeper.PID, c.Keeper.Start, c.Keeper.Boot) {
		return Answer{Elsewhere: c.Keeper.Socket}
	}
	// With its keeper went the attempt, whose processes the kernel has
	// killed; they may be on their way.
	for alive(c.PID, c.Start, c.Boot) {
		_ = syscall.Kill(c.PID, syscall.SIGKILL)
		time.Sleep(time.Millisecond)
	}
	for _, g := range c.Groups {
		_ = syscall.Rmdir(g)
	}
	return Answer{Running: true, Exit: &Exit{Why: lost, Code: -1, Ended: time.Now()}}
}

// alive reports whether a process is there, and not a dead one that nobody
// has collected.
func alive(pid int, start uint64, boot string) bool {
	if now, err := BootID(); err != nil || now != boot || pid <= 0 {
		return false
	}
	stat, err := os.ReadFile(path.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, s, err := ParseStat(stat)
	return err == nil && s == start && !zombie(stat)
}

// kill ends an attempt at once.
func (k *keeper) kill(id string) Answer {
	k.mu.Lock()
	a := k.live[id]
	k.mu.Unlock()
	if a != nil {
		a.stop(0)
		<-a.done
		return Answer{}
	}
	e, known, err := k.journal.look(id)
	switch {
	case err != nil:
		return Answer{Failure: err.Error()}
	case known && !e.ended:
		return Answer{Elsewhere: k.claimed(id, e.claim).Elsewhere}
	}
	return Answer{}
}

func (k *keeper) forget(id string) Answer {
	k.mu.Lock()
	_, busy := k.live[id]
	k.mu.Unlock()
	if busy {
		return Answer{Busy: true}
	}
	e, known := k.journal.recall(id)
	if !e.ended {
		var err error
		if e, known, err = k.journal.look(id); err != nil {
			return Answer{Failure: err.Error()}
		}
	}
	if known && !e.ended {
		if a := k.claimed(id, e.claim); a.Elsewhere != "" {
			return Answer{Busy: true}
		}
	}
	k.giveBack(path.Join(k.setup.Root, id))
	killpoint.At("forgetting")
	if known {
		if err := k.journal.drop(id); err != nil {
			return Answer{Failure: err.Error()}
		}
	}
	return Answer{}
}

func (k *keeper) list() Answer {
	if _, _, err := k.journal.look(""); err != nil {
		return Answer{Failure: err.Error()}
	}
	k.journal.mu.Lock()
	defer k.journal.mu.Unlock()
	a := Answer{}
	for id := range k.journal.entries {
		a.IDs = append(a.IDs, id)
	}
	return a
}

// maxPool bounds the directories that wait to be used again.
const maxPool = 64

// giveBack removes the directory of an attempt, or keeps it for another: a new
// inode can cost more than all else of a start on a file system that searches
// for a free one.
func (k *keeper) giveBack(dir string) {
	for _, sub := range subDirs {
		if !empty(path.Join(dir, sub.name), sub.mode) {
			_ = os.RemoveAll(dir)
			return
		}
	}
	k.mu.Lock()
	room := k.pooled < maxPool
	if room {
		k.pooled++
		k.pool++
	}
	to := k.pooledName(k.pool)
	k.mu.Unlock()
	if !room || syscall.Rename(dir, to) != nil {
		_ = os.RemoveAll(dir)
	}
}

func (k *keeper) pooledName(n int) string {
	return path.Join(k.setup.Root, PoolDir, strconv.Itoa(n))
}

// subDirs are the directories of an attempt that its command can write to.
var subDirs = [...]struct {
	name string
	mode uint32
}{
	{WorkDir, 0o700},
	{TempDir, syscall.S_ISVTX | 0o777},
}

// empty empties a directory that a command could write to, and reports
// whether it is as good as new.
func empty(dir string, mode uint32) bool {
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	// Its command may have changed owner, rights and more.
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) != nil || int(st.Uid) != os.Geteuid() || int(st.Gid) != os.Getegid() || !noAttributes(fd) {
		return false
	}
	const most = 64 // a directory that was large stays slow
	var names []string
	var buf [2048]byte
	for {
		n, err := syscall.ReadDirent(fd, buf[:])
		if err != nil || len(names) > most {
			return false
		}
		if n <= 0 {
			break
		}
		_, _, names = syscall.ParseDirent(buf[:n], -1, names)
	}
	for _, name := range names {
		if os.RemoveAll(path.Join(dir, name)) != nil {
			return false
		}
	}
	return st.Mode&0o7777 == mode || syscall.Fchmod(fd, mode) == nil
}

func noAttributes(fd int) bool {
	n, _, e := syscall.Syscall(syscall.SYS_FLISTXATTR, uintptr(fd), 0, 0)
	return n == 0 && e == 0
}

// makeDirs makes the directories of an attempt; they may be there.
func (k *keeper) makeDirs(dir string) error {
	k.mu.Lock()
	n := k.pool
	take := k.pooled > 0
	if take {
		k.pooled--
		k.pool--
	}
	k.mu.Unlock()
	if take && syscall.Rename(k.pooledName(n), dir) == nil {
		return nil
	}
	for _, sub := range []string{"", WorkDir, TempDir} {
		if err := os.Mkdir(path.Join(dir, sub), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return os.Chmod(path.Join(dir, TempDir), 0o777|os.ModeSticky)
}
