-- Numbers that are given out once and never again.
CREATE TABLE sequence (
	name TEXT PRIMARY KEY,
	last BIGINT NOT NULL
) {rowless};
INSERT INTO sequence (name, last) VALUES ('omics', 1000000);

-- What a door keeps beside runs: workflows, versions, groups, caches,
-- batches, configurations of HealthOmics. A version's id is that of its
-- workflow, a slash and its name; a configuration's is its name; the others'
-- are decimal numbers.
CREATE TABLE resource (
	kind    TEXT NOT NULL,
	id      TEXT NOT NULL,
	parent  TEXT NOT NULL, -- of a version: its workflow
	name    TEXT NOT NULL,
	status  TEXT NOT NULL,
	graph   TEXT NOT NULL, -- of a workflow or version that compiles
	created BIGINT NOT NULL,
	tags    TEXT NOT NULL,
	body    TEXT NOT NULL, -- JSON that only the door reads
	PRIMARY KEY (kind, id)
);
CREATE INDEX resource_list ON resource (kind, parent, created, id);

-- What the door of HealthOmics keeps of a run beside its row in run, which has
-- the same id, a decimal number, the workflow's id as workflow, and an empty
-- version. Ids of tasks need no rows: they are the run's id, seven digits of
-- the task's place in the graph and three of the attempt.
CREATE TABLE record (
	run      TEXT PRIMARY KEY,
	workflow TEXT NOT NULL,
	pool     TEXT NOT NULL, -- run group; empty: none
	cache    TEXT NOT NULL,
	batch    TEXT NOT NULL,
	name     TEXT NOT NULL,
	priority BIGINT NOT NULL,
	created  BIGINT NOT NULL,
	tags     TEXT NOT NULL,
	body     TEXT NOT NULL
);
CREATE INDEX record_list ON record (created, run);
CREATE INDEX record_batch ON record (batch, created, run);
CREATE INDEX record_pool ON record (pool, created, run);
CREATE INDEX record_cache ON record (cache);
CREATE INDEX record_workflow ON record (workflow);

-- The runs that a batch is to have.
CREATE TABLE batch_entry (
	batch   TEXT NOT NULL,
	n       BIGINT NOT NULL,
	setting TEXT NOT NULL, -- the caller's name of it
	run     TEXT NOT NULL, -- empty until it is submitted
	status  TEXT NOT NULL,
	reason  TEXT NOT NULL,
	message TEXT NOT NULL,
	body    TEXT NOT NULL,
	PRIMARY KEY (batch, n)
);
CREATE UNIQUE INDEX batch_entry_setting ON batch_entry (batch, setting);
CREATE INDEX batch_entry_run ON batch_entry (run);
