-- How many attempts a task had before it was last cleared.
ALTER TABLE task ADD COLUMN base BIGINT NOT NULL DEFAULT 0;

-- 1 while the run is paused.
ALTER TABLE run ADD COLUMN held BIGINT NOT NULL DEFAULT 0;

-- Runs that stand for a slot of a schedule.
CREATE INDEX run_slot ON run (workflow, logical) WHERE kind <> 'ondemand';

-- Paused workflows; the empty name is everything.
CREATE TABLE pause (
	workflow TEXT PRIMARY KEY,
	who      TEXT NOT NULL,
	since    BIGINT NOT NULL
) {rowless};
