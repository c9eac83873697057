package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/engine"
	"fairlead/internal/exec"
	"fairlead/internal/lang"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/meter"
	"fairlead/internal/omics"
	"fairlead/internal/store"
	"fairlead/internal/trace"
	"fairlead/internal/web"

	"golang.org/x/sys/unix"
)

// openMeter begins to count.
func (a *app) openMeter() error {
	a.meter = meter.New(version())
	a.db.Watch(func(c store.Commit) { a.meter.Committed(c.Writes, c.Took, c.Sync) })
	data := string(a.opt.data)
	a.meter.Gauge("fairlead_data_free_bytes", "Room left in the file system of the data directory.", func() float64 {
		var s unix.Statfs_t
		if unix.Statfs(data, &s) != nil {
			return -1
		}
		return float64(s.Bavail) * float64(s.Bsize)
	})
	token, err := a.opt.data.secretText(metricsTokenFile)
	if err != nil {
		return fmt.Errorf("use the data directory %s: %w", data, err)
	}
	a.metricsToken = token
	return nil
}

// metricsTokenFile holds what Prometheus shows where it is not on this
// machine.
const metricsTokenFile = "metrics-token"

// secretText returns the text of a file, which is made with a random one the
// first time.
func (d dataDir) secretText(name string) (string, error) {
	data, err := os.ReadFile(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		data = []byte(rand.Text())
		err = os.WriteFile(d.path(name), append(data, '\n'), 0o600)
	}
	text := strings.TrimSpace(string(data))
	if err == nil && text == "" { // a crash came before its text
		err = fmt.Errorf("%s is empty: remove it, and it is made anew", d.path(name))
	}
	return text, err
}

// stepped tells of a step that was saved. It must not block.
func (a *app) stepped(s engine.Step) {
	fresh := 0
	if s.First {
		fresh = len(s.Tasks)
	}
	a.meter.Step(s.Run, s.Tasks, fresh, s.Entry)
	a.web.Stepped(web.Change{Run: s.Run, Tasks: s.Tasks})
	a.office.Told(s.Run.ID)
	a.runs.stepped(s)
	if a.scribe != nil {
		a.scribe.told(s)
	}
	if a.traces != nil {
		a.traces.Add(trace.Of(s.Run, s.Tasks, s.Entry, omicsSpan)...)
	}
	if a.opt.onStep != nil {
		a.opt.onStep(s)
	}
}

// metered counts the attempts that a driver starts.
type metered struct {
	exec.Driver
	meter *meter.Meter
}

// Run implements [exec.Driver].
func (d metered) Run(ctx context.Context, spec exec.Spec, handle string, started func(handle string) error) (exec.Exit, error) {
	began, fresh := time.Now(), handle == ""
	return d.Driver.Run(ctx, spec, handle, func(handle string) error {
		if fresh {
			d.meter.Spawned(time.Since(began))
			fresh = false
		}
		return started(handle)
	})
}

// watched counts what the attempts of a performer have logged.
type watched struct {
	*airflow.Performer
	a *app
}

// Forget implements conductor.Performer.
func (w watched) Forget(at lang.Attempt) {
	w.Performer.Forget(at)
	if path, err := w.a.place.Log(context.Background(), at.Run, at.Task.ID, at.Task.Attempt); err == nil {
		if info, err := os.Stat(path); err == nil {
			w.a.meter.Logged(info.Size())
		}
	}
}

// metrics answers Prometheus: on this machine anybody, elsewhere whoever
// shows the token.
func (a *app) metrics() http.Handler {
	want := []byte("Bearer " + a.metricsToken)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !nearby(r) && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="fairlead"`)
			http.Error(w, "from elsewhere than this machine: Authorization: Bearer TOKEN, with the text of the file "+metricsTokenFile+" in the data directory", http.StatusUnauthorized)
			return
		}
		a.meter.ServeHTTP(w, r)
	})
}

// nearby reports whether a request comes from a program on this machine: not
// through a proxy, and not by a page of another origin.
func nearby(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() && fromHere(r)
}

// readyTime bounds how long the database may take to answer.
const readyTime = 2 * time.Second

// ready says whether the server does its work: it can read its database, and
// may write to it.
func (a *app) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	_, _, err := a.db.Setting(ctx, "database-id")
	if err == nil {
		err = a.db.Err()
	}
	if err != nil {
		a.opt.log.WarnContext(ctx, "not ready", "err", err)
		http.Error(w, "not ready: the database takes no writes, or cannot be read", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// operationOf names the operation of a request in the JSON protocols.
func operationOf(known []string) func(*http.Request) string {
	return func(r *http.Request) string {
		if op := awsjson.Target(r); slices.Contains(known, op) {
			return op
		}
		return "unknown"
	}
}

// methodOf names a request where its method says enough.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete:
		return r.Method
	}
	return "unknown"
}

// counted has the requests of all doors counted.
func (a *app) counted(d doors, logOps []string) doors {
	d.mwaa = a.meter.Serve("airflow-serverless", operationOf(a.door.Operations()), d.mwaa)
	d.omics = a.meter.Serve(omics.Service, methodOf, d.omics)
	d.logs = a.meter.Serve("logs", operationOf(logOps), d.logs)
	d.s3 = a.meter.Serve("s3", methodOf, d.s3)
	d.sts = a.meter.Serve("sts", methodOf, d.sts)
	d.ops = a.meter.Serve("fairlead", methodOf, d.ops)
	d.console = a.meter.Serve("console", methodOf, d.console)
	d.task = a.meter.Serve("credentials", methodOf, d.task)
	d.secrets = a.meter.Serve("secrets", methodOf, d.secrets)
	return d
}

// profile serves Go's profiles at a loopback address of their own.
func (a *app) profile(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return usagef("--pprof %s: %v", address, err)
	}
	if addr := l.Addr().(*net.TCPAddr); !addr.IP.IsLoopback() {
		l.Close()
		return usagef("--pprof %s: profiles show what is in memory, so they are served on loopback addresses only", addr)
	}
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !nearby(r) {
				http.Error(w, "profiles are for programs of this machine", http.StatusForbidden)
				return
			}
			showProfile(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(a.opt.log.Handler(), slog.LevelWarn),
	}
	a.background.Go(func() {
		defer context.AfterFunc(ctx, func() { _ = s.Close() })()
		_ = s.Serve(l) // ends when it is closed
	})
	a.opt.log.InfoContext(ctx, "profiles are served", "url", "http://"+l.Addr().String()+"/debug/pprof/")
	return nil
}

// longestProfile bounds how long a profile of the processor may be taken.
const longestProfile = 10 * time.Minute

// showProfile answers at the paths that Go's pprof tool asks.
func showProfile(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/debug/pprof/")
	if name == "profile" {
		n, err := strconv.Atoi(r.FormValue("seconds"))
		if err != nil || n <= 0 {
			n = 30
		}
		if err := pprof.StartCPUProfile(w); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		defer pprof.StopCPUProfile()
		select {
		case <-r.Context().Done():
		case <-time.After(min(time.Duration(n)*time.Second, longestProfile)):
		}
		return
	}
	p := pprof.Lookup(name)
	if p == nil {
		var names []string
		for _, p := range pprof.Profiles() {
			names = append(names, p.Name())
		}
		http.Error(w, "profiles: profile (of the processor), "+strings.Join(names, ", "), http.StatusNotFound)
		return
	}
	debug, _ := strconv.Atoi(r.FormValue("debug")) // 0, the form for the tool, unless it is a number
	_ = p.WriteTo(w, debug)                        // a reader that has gone is not our concern
}
