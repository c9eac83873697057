-- Who is told of what happens to runs.
CREATE TABLE sink (
	name TEXT PRIMARY KEY
) {rowless};

-- How far a sink has been told of a run: up to this revision; -1 is nothing.
-- A row stays until the run has ended and the sink knows all of it.
CREATE TABLE delivery (
	sink TEXT NOT NULL,
	run  TEXT NOT NULL,
	seq  BIGINT NOT NULL,
	PRIMARY KEY (sink, run)
) {rowless};
CREATE INDEX delivery_run ON delivery (run);
