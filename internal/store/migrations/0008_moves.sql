-- What each step changed, beside the event behind it.
ALTER TABLE entry ADD COLUMN moves TEXT NOT NULL DEFAULT '';
