-- What the deployment remembers about itself, by key.
CREATE TABLE setting (
	key   TEXT PRIMARY KEY,
	value {blob} NOT NULL
) {rowless};

-- Compiled graphs, by the hash of their text.
CREATE TABLE graph (
	key  TEXT PRIMARY KEY,
	body TEXT NOT NULL
);

-- Which workflows' versions and runs need a graph.
CREATE TABLE graph_use (
	graph    TEXT NOT NULL,
	workflow TEXT NOT NULL,
	PRIMARY KEY (graph, workflow)
) {rowless};
CREATE INDEX graph_use_workflow ON graph_use (workflow);

CREATE TABLE workflow (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	latest   TEXT NOT NULL,
	last_n   BIGINT NOT NULL, -- of the newest version there ever was
	deleting BIGINT NOT NULL,
	created  BIGINT NOT NULL,
	modified BIGINT NOT NULL,
	tags     TEXT NOT NULL,
	settings TEXT NOT NULL
);
CREATE UNIQUE INDEX workflow_name ON workflow (name) WHERE deleting = 0;
CREATE INDEX workflow_list ON workflow (created, id);
CREATE INDEX workflow_deleting ON workflow (id) WHERE deleting = 1;

CREATE TABLE version (
	workflow TEXT NOT NULL,
	n        BIGINT NOT NULL,
	id       TEXT NOT NULL,
	graph    TEXT NOT NULL,
	schedule TEXT NOT NULL, -- empty: fires never by itself
	max_runs BIGINT NOT NULL,
	code     TEXT NOT NULL,
	code_at  BIGINT NOT NULL,
	created  BIGINT NOT NULL,
	settings TEXT NOT NULL,
	source   TEXT NOT NULL, -- last, since lists leave it out
	PRIMARY KEY (workflow, n)
);
CREATE UNIQUE INDEX version_id ON version (workflow, id);

-- Client tokens: a request that comes twice is carried out once.
CREATE TABLE token (
	scope       TEXT NOT NULL,
	key         TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	made        TEXT NOT NULL, -- the id of what the request made
	expires     BIGINT NOT NULL,
	PRIMARY KEY (scope, key)
) {rowless};
CREATE INDEX token_expires ON token (expires);

-- The next fire of each workflow. The row outlives the schedule, so that no
-- slot fires twice when one is set again.
CREATE TABLE schedule (
	workflow TEXT PRIMARY KEY,
	version  TEXT NOT NULL,
	next     BIGINT NOT NULL, -- 0: none
	fired    BIGINT NOT NULL  -- the last slot that is done with
) {rowless};
CREATE INDEX schedule_next ON schedule (next) WHERE next > 0;

CREATE TABLE run (
	id       TEXT PRIMARY KEY,
	workflow TEXT NOT NULL,
	version  TEXT NOT NULL,
	kind     TEXT NOT NULL,
	state    TEXT NOT NULL,
	active   BIGINT NOT NULL, -- 1 until the state is final
	rev      BIGINT NOT NULL,
	key      TEXT NOT NULL,
	logical  BIGINT NOT NULL,
	graph    TEXT NOT NULL,
	created  BIGINT NOT NULL,
	started  BIGINT NOT NULL,
	ended    BIGINT NOT NULL,
	modified BIGINT NOT NULL,
	reason   TEXT NOT NULL,
	cause    TEXT NOT NULL,
	params   TEXT NOT NULL
);
CREATE INDEX run_list ON run (workflow, created, id);
CREATE INDEX run_list_version ON run (workflow, version, created, id);
CREATE INDEX run_active ON run (workflow) WHERE active = 1;
CREATE INDEX run_over ON run (ended) WHERE active = 0;

CREATE TABLE task (
	run      TEXT NOT NULL,
	idx      BIGINT NOT NULL, -- place in the graph
	id       TEXT NOT NULL,
	kind     TEXT NOT NULL,
	state    TEXT NOT NULL,
	attempt  BIGINT NOT NULL,
	due      BIGINT NOT NULL,
	pokes    BIGINT NOT NULL,
	since    BIGINT NOT NULL,
	started  BIGINT NOT NULL,
	ended    BIGINT NOT NULL,
	modified BIGINT NOT NULL,
	cause    TEXT NOT NULL,
	handle   TEXT NOT NULL,
	reason   TEXT NOT NULL,
	mark     TEXT NOT NULL,
	PRIMARY KEY (run, idx)
) {rowless};
CREATE UNIQUE INDEX task_id ON task (run, id);

-- Attempts that are over and were followed by another.
CREATE TABLE attempt (
	run     TEXT NOT NULL,
	idx     BIGINT NOT NULL, -- of the task
	n       BIGINT NOT NULL,
	state   TEXT NOT NULL,
	started BIGINT NOT NULL,
	ended   BIGINT NOT NULL,
	reason  TEXT NOT NULL,
	PRIMARY KEY (run, idx, n)
) {rowless};

CREATE TABLE output (
	run     TEXT NOT NULL,
	task    TEXT NOT NULL,
	attempt BIGINT NOT NULL,
	key     TEXT NOT NULL,
	value   TEXT NOT NULL,
	PRIMARY KEY (run, task, attempt, key)
) {rowless};

-- The journal: the event behind each step of a run.
CREATE TABLE entry (
	run    TEXT NOT NULL,
	seq    BIGINT NOT NULL,
	at     BIGINT NOT NULL,
	task   TEXT NOT NULL,
	what   TEXT NOT NULL,
	detail TEXT NOT NULL,
	PRIMARY KEY (run, seq)
) {rowless};
