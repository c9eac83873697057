-- Into how many instances of its body a task has unfolded, and the place of the
-- first one's first task. What has not changed since has no row.
ALTER TABLE task ADD COLUMN instances BIGINT NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN first_idx BIGINT NOT NULL DEFAULT 0;
