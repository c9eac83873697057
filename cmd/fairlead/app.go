package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"fairlead/internal/aws/page"
	"fairlead/internal/aws/sigv4"
	"fairlead/internal/blob"
	"fairlead/internal/blob/file"
	"fairlead/internal/blob/s3"
	"fairlead/internal/code"
	"fairlead/internal/conductor"
	"fairlead/internal/cwlogs"
	"fairlead/internal/disk"
	"fairlead/internal/ebb"
	"fairlead/internal/egress"
	"fairlead/internal/engine"
	"fairlead/internal/events"
	"fairlead/internal/exec"
	"fairlead/internal/exec/container"
	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/lang/wdl"
	"fairlead/internal/logs"
	"fairlead/internal/meter"
	"fairlead/internal/mwaa"
	"fairlead/internal/omics"
	"fairlead/internal/operator"
	"fairlead/internal/ops"
	"fairlead/internal/role"
	"fairlead/internal/s3door"
	"fairlead/internal/secret"
	"fairlead/internal/session"
	"fairlead/internal/store"
	"fairlead/internal/sts"
	"fairlead/internal/trace"
	"fairlead/internal/web"
)

const (
	defaultListen  = "127.0.0.1:8400"
	defaultRegion  = "us-east-1"
	defaultAccount = "000000000000"
)

// Options are what a server is started with.
type options struct {
	data      dataDir
	fleeting  bool // the data directory goes with this process
	listen    string
	database  string // empty: SQLite in the data directory
	region    string
	account   string
	anonymous bool
	strict    bool   // only signatures for region are good
	s3        string // an outside S3; empty: the built-in one
	aws       string // where the services are that this server lacks; empty: nowhere
	python    string
	network   string
	isolation string // one of isolations
	driver    string // one of drivers
	image     string // with the driver "container", of tasks that name none
	tasks     int    // processes at once
	gpuCount  string // of GPUs: auto, ignore or a number
	devices   string // the directory of device files
	// localFiles lets runs name files of this machine, and publish says where
	// their outputs go: both are for a run without a server.
	localFiles bool
	// beside is where files with relative names are that a document names; empty:
	// where the process runs.
	beside  string
	publish func(context.Context, flow.Run, wdl.Value) (wdl.Value, error)
	partial bool   // finished outputs of runs that fail are published
	cache   string // a directory in which such a run has its cache; empty: none
	memory  int64
	disk    int64
	cpus    float64
	lenient bool
	skipped bool
	extras  bool

	roles          string // the file; empty: roles.json in the data directory
	strictRoles    bool
	credentialLife time.Duration

	running   int           // runs under way at once; the others queue; 0: any number
	retention time.Duration // how long ended runs are kept; 0: for ever
	verdict   bool          // any failed task fails its run
	limits    limits
	pprof     string // address of profiles; empty: none
	// schedulerLog has a log stream say of each run why what began when.
	schedulerLog bool
	otlp         string // URL of a collector of traces; empty: that of the environment
	readOnly     bool   // the console changes nothing
	// hosts are names under which the console is asked, beside those of this
	// machine.
	hosts []string

	events     string    // the file of sinks; empty: events.json in the data directory
	eventSinks sinksFlag // beside those of the file

	log    *slog.Logger
	onStep func(engine.Step) // may be nil
}

func defaultOptions() options {
	return options{
		data: dataDir(defaultDataDir()), listen: defaultListen, region: defaultRegion, account: defaultAccount,
		python: "python3", network: "host", isolation: "prefer", driver: "sandbox", credentialLife: time.Hour, partial: true, gpuCount: "auto", devices: "/dev", tasks: max(8, 4*runtime.NumCPU()), memory: 3 << 30, cpus: 0,
		limits: defaultLimits(), log: slog.New(slog.DiscardHandler),
	}
}

var (
	regionPattern  = regexp.MustCompile(`^[a-z]{2}-(?:[a-z]+-)+[0-9]$`)
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
)

// leastMemory is what a shell needs to start.
const leastMemory = 4 << 20

// validate refuses settings under which nothing could run.
func (o options) validate() error {
	switch {
	case !regionPattern.MatchString(o.region):
		return usagef("--region %q: expected a region's name, such as us-east-1", o.region)
	case !accountPattern.MatchString(o.account):
		return usagef("--account %q: expected 12 digits", o.account)
	case !slices.Contains(networks, o.network):
		return usagef("--network %q: expected host, endpoints or none", o.network)
	case !slices.Contains(isolations, o.isolation):
		return usagef("--isolation %q: expected require, prefer or none", o.isolation)
	case !slices.Contains(drivers, o.driver):
		return usagef("--driver %q: expected sandbox or container", o.driver)
	case o.driver == "container" && o.isolation == "none":
		return usagef("--driver container and --isolation none contradict each other")
	case o.isolation == "none" && o.network != "host":
		return usagef("--network %s needs namespaces, which --isolation none does without", o.network)
	case o.tasks < 1:
		return usagef("--tasks %d: at least 1 is needed for anything to run", o.tasks)
	case o.running < 0:
		return usagef("--running %d: expected a number of runs; 0 is no bound", o.running)
	case o.memory != 0 && o.memory < leastMemory:
		return usagef("--task-memory %d: at least %d bytes (4MiB) are needed; 0 is no bound", o.memory, leastMemory)
	case o.disk != 0 && o.disk < leastMemory:
		return usagef("--task-disk %d: at least %d bytes (4MiB) are needed; 0 is no bound", o.disk, leastMemory)
	case o.retention < 0:
		return usagef("--retention %s: expected a time such as 720h; 0 keeps runs for ever", o.retention)
	case o.credentialLife < time.Minute || o.credentialLife > 12*time.Hour:
		return usagef("--credential-life %s: expected 1m to 12h", o.credentialLife)
	case o.cpus < 0:
		return usagef("--task-cpus %v: expected a number of cores; 0 is no bound", o.cpus)
	}
	if o.image != "" {
		if err := container.CheckImage(o.image); err != nil {
			return usagef("--image: %v", err)
		}
		if o.driver != "container" {
			return usagef("--image %s has a meaning with --driver container only", o.image)
		}
	}
	if o.s3 != "" {
		u, err := url.Parse(o.s3)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return usagef("--s3-endpoint %q: expected a URL, such as https://s3.example.com", o.s3)
		}
	}
	return nil
}

// An app is a server with all its parts, put together.
type app struct {
	opt       options
	key       credential
	db        *store.DB
	objects   blob.Source
	shelf     *code.Shelf
	logs      *logs.Dir
	conductor *conductor.Conductor
	door      *mwaa.Door
	omics     *omics.Door
	runs      *omicsEngine       // those of HealthOmics
	yaml      *airflow.Performer // of the others; set before there are runs
	copies    copies             // of their files
	driver    driver
	roles     *role.Book
	sessions  *session.Issuer
	vault     *secret.Vault
	veil      veil
	place     *place
	meter     *meter.Meter
	web       *web.Console
	office    *events.Office
	traces    *trace.Exporter // nil without a collector
	scribe    *scribe         // nil without a log of the scheduler
	info      serverInfo
	inner     string // the URL at which tasks reach the server
	// metricsToken is what Prometheus shows from elsewhere.
	metricsToken  string
	traceSettings trace.Settings

	listener net.Listener
	loopback net.Listener // for tasks, where listener is at another address
	http     *http.Server
	served   chan error
	stop     context.CancelCauseFunc
	closers  []func() error

	background sync.WaitGroup
}

// start puts a server together and sets it going. When it returns without an
// error, the port answers.
func start(opt options) (_ *app, err error) {
	a := &app{opt: opt, served: make(chan error, 2)}
	defer func() {
		if err != nil {
			_ = a.closeAll() // the first error is the one to tell
		}
	}()
	if err := opt.validate(); err != nil {
		return nil, err
	}
	if err := ebb.Watcher(watcherSlack); err != nil {
		opt.log.Debug("the runtime's watcher naps as usual", "err", err)
	}
	if err := a.claimPlace(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(context.Background())
	a.stop = stop
	if err := a.openRows(ctx); err != nil {
		return nil, err
	}
	if err := a.openMeter(); err != nil {
		return nil, err
	}
	if opt.schedulerLog {
		a.scribe = newScribe(a)
	}
	if err := a.openTraces(); err != nil {
		return nil, err
	}
	if err := a.openEvents(ctx); err != nil {
		return nil, err
	}
	if err := a.openRoles(); err != nil {
		return nil, err
	}
	if err := a.openVault(); err != nil {
		return nil, err
	}
	handler, err := a.assemble(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.checkIsolation(ctx); err != nil {
		return nil, err
	}
	if err := a.sweepAttempts(ctx); err != nil {
		return nil, err
	}
	if err := a.runs.reserve(ctx); err != nil {
		return nil, fmt.Errorf("keep processors, memory and GPUs for the tasks that have them: %w", err)
	}
	if err := a.conductor.Resume(ctx); err != nil {
		return nil, err
	}
	if opt.pprof != "" {
		if err := a.profile(ctx, opt.pprof); err != nil {
			return nil, err
		}
	}
	a.background.Go(func() { a.office.Run(ctx) })
	a.background.Go(func() { a.runs.record(ctx) })
	a.background.Go(func() { a.omics.Work(ctx) })
	if a.scribe != nil {
		a.background.Go(func() { a.scribe.run(ctx) })
	}
	if a.traces != nil {
		a.background.Go(func() { a.traces.Run(ctx) })
	}
	a.background.Go(func() { a.retainLogs(ctx) })
	if opt.retention > 0 {
		a.background.Go(func() { a.retain(ctx) })
	}
	a.http = &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(opt.log.Handler(), slog.LevelWarn),
	}
	live, endLive := context.WithCancel(ctx)
	a.http.RegisterOnShutdown(endLive) // streams of events would keep it waiting
	a.background.Go(func() {
		defer endLive()
		a.web.Live(live)
	})
	for _, l := range a.listeners() {
		go func() { a.served <- a.http.Serve(l) }()
	}
	began := time.Now()
	a.background.Go(func() { a.runs.sweep(ctx, began) }) // which asks the server
	a.info.PID = os.Getpid()
	if err := opt.data.write("server.json", a.info, replace); err != nil {
		return nil, err
	}
	return a, nil
}

// claimPlace takes the data directory and the port.
func (a *app) claimPlace() error {
	abs, err := filepath.Abs(string(a.opt.data))
	if err != nil {
		return err
	}
	a.opt.data = dataDir(abs)
	lock, err := a.opt.data.lock()
	if err != nil {
		return fmt.Errorf("use the data directory %s: %w", abs, disk.Explain(abs, err))
	}
	a.closers = append(a.closers, lock.Close)
	if a.key, err = a.opt.data.credential(); err != nil {
		return fmt.Errorf("use the data directory %s: %w", abs, disk.Explain(abs, err))
	}
	if a.listener, err = net.Listen("tcp", a.opt.listen); err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%s is taken: stop what listens there, or choose another address with --listen", a.opt.listen)
		}
		return usagef("--listen %s: %v", a.opt.listen, err)
	}
	a.closers = append(a.closers, a.listener.Close)
	addr := a.listener.Addr().(*net.TCPAddr)
	if a.opt.anonymous && !addr.IP.IsLoopback() {
		return usagef("--anonymous lets everybody in, so it is allowed on loopback addresses only, not on %s", addr)
	}
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	if err := a.listenInside(addr); err != nil {
		return err
	}
	a.info = serverInfo{
		Endpoint: "http://" + net.JoinHostPort(host, fmt.Sprint(addr.Port)),
		Region:   a.opt.region, Account: a.opt.account,
	}
	return nil
}

// listenInside sees to it that tasks reach the server on a loopback address:
// SDKs ask for credentials nowhere else.
func (a *app) listenInside(addr *net.TCPAddr) error {
	host := addr.IP
	switch {
	case addr.IP.IsUnspecified():
		host = net.IPv4(127, 0, 0, 1)
	case !addr.IP.IsLoopback():
		host = net.IPv4(127, 0, 0, 1)
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: host, Port: addr.Port})
		if err != nil {
			return fmt.Errorf("listen at %s:%d for tasks, beside %s: %w", host, addr.Port, addr, err)
		}
		a.loopback = l
		a.closers = append(a.closers, l.Close)
	}
	a.inner = "http://" + net.JoinHostPort(host.String(), fmt.Sprint(addr.Port))
	return nil
}

// listeners are all that the server listens at.
func (a *app) listeners() []net.Listener {
	if a.loopback == nil {
		return []net.Listener{a.listener}
	}
	return []net.Listener{a.listener, a.loopback}
}

func (a *app) openRows(ctx context.Context) error {
	url, open := a.opt.database, store.Open
	if url == "" {
		url = a.opt.data.path("fairlead.db")
		if a.opt.fleeting {
			open = store.OpenFleeting
		}
	}
	db, err := open(ctx, url)
	if err != nil {
		return err
	}
	a.db = db
	a.closers = append(a.closers, db.Close)
	release, err := db.Hold(ctx)
	if errors.Is(err, store.ErrHeld) {
		return errors.New("another fairlead server uses this database: stop it, or give this one its own with --database")
	}
	if err != nil {
		return err
	}
	a.closers = append(a.closers, release)
	return a.sameDatabase(ctx)
}

// sameDatabase refuses a data directory whose attempts belong to another
// database: they would be taken for lost, and killed as nobody's.
func (a *app) sameDatabase(ctx context.Context) error {
	fresh := make([]byte, 16)
	_, _ = rand.Read(fresh) // never fails
	id, err := a.db.PutSetting(ctx, "database-id", fresh, true)
	if err != nil {
		return err
	}
	ours := hex.EncodeToString(id)
	var known string
	switch err := a.opt.data.read("database.json", &known); {
	case errors.Is(err, fs.ErrNotExist):
		return a.opt.data.write("database.json", ours, replace)
	case err != nil:
		return err
	case known != ours:
		return fmt.Errorf("%s holds tasks and objects of another database: name that one with --database, or choose another --data", a.opt.data)
	}
	return nil
}

// assemble makes the parts and joins them. It starts nothing.
func (a *app) assemble(ctx context.Context) (http.Handler, error) {
	opt := a.opt
	verify := func(service string, flavor sigv4.Flavor) *sigv4.Verifier {
		v := &sigv4.Verifier{Keys: keys{a.key, opt.account, a.sessions}, Service: service, Flavor: flavor}
		if opt.strict {
			v.Region = opt.region
		}
		return v
	}

	contents, err := file.Open(opt.data.path("s3"))
	if err != nil {
		return nil, err
	}
	a.closers = append(a.closers, contents.Close)
	if err := a.sweepContents(ctx, contents); err != nil {
		return nil, err
	}
	s3conf := s3door.Config{Index: a.db, Contents: contents, Region: opt.region, Account: opt.account, Permit: a.permit, Log: opt.log}
	stsconf := sts.Config{Default: a.anybody(), Log: opt.log}
	if !opt.anonymous {
		s3conf.Verifier, stsconf.Verifier = verify("s3", sigv4.S3), verify("sts", sigv4.REST)
	}
	builtin := s3door.New(s3conf)
	a.objects = builtin
	if opt.s3 != "" {
		if a.objects, err = s3.New(ctx, opt.s3, opt.region); err != nil {
			return nil, err
		}
	}
	if a.shelf, err = code.New(opt.data.path("code"), codeLimits(opt.limits)); err != nil {
		return nil, err
	}
	if a.logs, err = logs.Open(opt.data.path("logs")); err != nil {
		return nil, err
	}

	performer, err := a.performer(ctx)
	if err != nil {
		return nil, err
	}
	wdlPerformer, err := a.wdlPerformer()
	if err != nil {
		return nil, err
	}
	a.yaml = performer
	a.conductor = conductor.New(a.db, performers{watched{performer, a}, wdlPerformer}, conductor.Settings{
		MaxRunning: opt.running,
		MaxRuns:    opt.limits["runs"], MaxWorkflow: opt.limits["workflow-runs"],
		MaxRunDuration: time.Duration(opt.limits["run-seconds"]) * time.Second,
		Strict:         opt.verdict,
		Terms:          a.runs.terms,
		Reopen:         a.runs.reopen,
		Grace:          10 * time.Minute, NewRun: func(v flow.Version, slot time.Time) flow.Run { return newRun(v, flow.Scheduled, slot, time.Now()) },
	}, opt.log, a.stepped)

	tokenKey := make([]byte, 32)
	_, _ = rand.Read(tokenKey) // never fails
	if tokenKey, err = a.db.PutSetting(ctx, "page-token-key", tokenKey, true); err != nil {
		return nil, err
	}
	tokens := page.New(tokenKey)
	if a.web, err = a.console(ctx, tokens); err != nil {
		return nil, err
	}
	a.door = mwaa.New(mwaa.Config{
		Account: opt.account, Region: opt.region, Limits: opt.limits.mwaa(), Lenient: opt.lenient, ShowSkipped: opt.skipped,
		Workflows: workflows{a.db}, Runs: a.db, Conductor: doorConductor{a}, Compiler: definitions{compiler{max: opt.limits.bytes("definition-bytes")}},
		Objects: a.objects, Code: packages{a}, Logs: logGroups{a.logs}, Tokens: tokens, Why: a.why, CheckRole: a.checkRole, CheckTags: checkTags, Mask: a.maskOf,
		Check: a.admit(verify("airflow-serverless", sigv4.JSON)), Log: opt.log,
	})
	if a.omics, err = a.omicsDoor(tokens, a.admit(verify(omics.Service, sigv4.REST))); err != nil {
		return nil, err
	}
	logDoor := cwlogs.New(cwlogs.Config{Logs: a.logs, Account: opt.account, Region: opt.region, Check: a.admit(verify("logs", sigv4.JSON)), Log: opt.log})
	return a.counted(doors{
		mwaa:    a.door,
		omics:   a.omics,
		logs:    logDoor,
		s3:      builtin,
		sts:     sts.New(stsconf),
		egress:  egress.New(a.mayReach, opt.log),
		secrets: a.secretsDoor(),
		task:    a.sessions.Handler(opt.log),
		ops:     a.operations(verify(ops.Service, sigv4.REST)),
		metrics: a.metrics(),
		ready:   http.HandlerFunc(a.ready),
		console: a.web,
		open:    opt.anonymous,
	}, logDoor.Operations()), nil
}

// sweepContents removes files of objects that a crash has left without a
// row. Files of another database are never touched.
func (a *app) sweepContents(ctx context.Context, contents *file.Dir) error {
	owner := make([]byte, 16)
	_, _ = rand.Read(owner) // never fails
	owner, err := a.db.PutSetting(ctx, "contents-id", owner, true)
	if err != nil {
		return err
	}
	if err := contents.Claim(hex.EncodeToString(owner)); err != nil {
		a.opt.log.WarnContext(ctx, "objects are not swept", "err", err)
		return nil
	}
	a.background.Go(func() {
		if _, err := contents.Sweep(ctx, a.db.Held); err != nil && ctx.Err() == nil {
			a.opt.log.WarnContext(ctx, "sweep objects", "err", err)
		}
	})
	return nil
}

// sweepAttempts removes what is kept of attempts that nobody is owed any
// more: their end was saved, and the crash came before they were forgotten.
func (a *app) sweepAttempts(ctx context.Context) error {
	open, err := a.db.Unfinished(ctx)
	if err != nil {
		return err
	}
	owed := map[string]bool{}
	for _, r := range open {
		tasks, err := a.db.Tasks(ctx, r.ID)
		if err != nil {
			return err
		}
		a.meter.Known(r, tasks)
		a.runs.meter.known(r)
		for _, t := range tasks {
			if t.State.Live() {
				owed[airflow.AttemptID(r.ID, t)] = true
			}
		}
	}
	if err := a.driver.Sweep(func(id string) bool { return owed[id] }); err != nil {
		a.opt.log.WarnContext(ctx, "sweep attempts", "err", err) // they take room, no more
	}
	return nil
}

// performer puts together what carries out tasks.
func (a *app) performer(ctx context.Context) (*airflow.Performer, error) {
	opt := a.opt
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	python, err := a.openDriver(ctx)
	if err != nil {
		return nil, err
	}
	unmounted := false // of containers all is known
	if opt.driver != "container" {
		report, err := a.driver.Probe(ctx)
		if err != nil {
			return nil, err
		}
		unmounted = slices.ContainsFunc(report.Measures, func(m exec.Measure) bool { return m.Name == "mount namespace" && !m.InUse })
	}
	endpoint := a.inner
	if opt.s3 != "" {
		endpoint = opt.s3
	}
	ops, err := operator.New(operator.Settings{
		Unmounted: unmounted, Self: self, Dir: opt.data.path("tools"), Python: python, Path: usualPath,
		Endpoint: endpoint, Region: opt.region, Credentials: a.signer, MaxXCom: opt.limits.bytes("xcom-bytes"), Install: installSettings(),
	})
	if err != nil {
		return nil, err
	}
	a.place = &place{app: a}
	return &airflow.Performer{
		Driver: metered{a.driver, a.meter}, Slots: make(chan struct{}, max(opt.tasks, 1)), Operators: ops, Table: operator.Default(), XComs: a.db,
		Place: a.place, Grace: 10 * time.Second, Extras: opt.extras,
		MaxXCom: opt.limits.bytes("xcom-bytes"),
		Limits:  exec.Limits{Memory: opt.memory, CPUs: opt.cpus, PIDs: 1024, Files: 4096, Disk: opt.disk, Output: 256 << 20},
	}, nil
}

// anybody is who calls a server that checks no signatures.
func (a *app) anybody() sigv4.Identity {
	return sigv4.Identity{AccessKey: "anonymous", Account: a.opt.account, ARN: "arn:aws:iam::" + a.opt.account + ":root"}
}

// admit returns the check of requests to one service.
func (a *app) admit(v *sigv4.Verifier) func(r *http.Request, body []byte) (context.Context, error) {
	return func(r *http.Request, body []byte) (context.Context, error) {
		if a.opt.anonymous {
			return sigv4.WithIdentity(r.Context(), a.anybody()), nil
		}
		id, err := v.Verify(r, body)
		if err != nil {
			return nil, err
		}
		ctx := sigv4.WithIdentity(r.Context(), id)
		return ctx, a.permitJSON(ctx, v.Service, r, body)
	}
}

// watcherSlack is how much longer than usual a goroutine may wait for a processor that
// another one has in a system call: about as long as a sync of the disk
// takes at best.
const watcherSlack = 200 * time.Microsecond

// settled is how long after its start a server has no more to do with it.
const settled = time.Second

// wait returns nil when ctx is done. Before that it returns, with the server
// closed, why the server cannot go on: nobody listens, nobody knows what is on
// disk, or another server has the database. One that is damaged is still shown,
// though never written.
func (a *app) wait(ctx context.Context) error {
	broken := a.db.Broken()
	started := time.After(settled)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-started:
			debug.FreeOSMemory()
			if err := ebb.Program(); err != nil {
				a.opt.log.DebugContext(ctx, "memory of the start is kept", "err", err)
			}
		case err := <-a.served:
			return fmt.Errorf("serve: %w", errors.Join(err, a.close()))
		case <-broken:
			broken = nil
			err := a.db.Err()
			a.opt.log.ErrorContext(ctx, "the database takes no more writes", "err", err)
			if errors.Is(err, store.ErrUnsynced) || errors.Is(err, store.ErrHeld) {
				return fmt.Errorf("serve: %w", errors.Join(err, a.close()))
			}
		}
	}
}

// close ends the server. Tasks that run go on, and the next server takes
// them up.
func (a *app) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := a.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = a.http.Close() // somebody holds a connection open
	}
	a.stop(exec.ErrDetach)
	a.conductor.Wait()
	_ = os.Remove(a.opt.data.path("server.json")) // only a hint
	return errors.Join(err, a.closeAll())
}

func (a *app) closeAll() error {
	if a.stop != nil {
		a.stop(exec.ErrDetach)
	}
	a.background.Wait()
	if a.conductor != nil {
		a.conductor.Wait()
	}
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i](); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	a.closers = nil
	return errors.Join(errs...)
}
