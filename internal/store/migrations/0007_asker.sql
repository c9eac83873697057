-- Who asked for the run beside the front door: empty for its own starts and
-- for those of schedules.
ALTER TABLE run ADD COLUMN asker TEXT NOT NULL DEFAULT '';
