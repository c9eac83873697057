-- 1 of runs that may be dropped, once they have ended, to make room for others.
ALTER TABLE record ADD COLUMN removable BIGINT NOT NULL DEFAULT 0;
UPDATE record SET removable = 1 WHERE body LIKE '%"retentionMode":"REMOVE"%';
CREATE INDEX record_removable ON record (created, run) WHERE removable = 1;
