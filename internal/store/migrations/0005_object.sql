-- The rows of the small S3. Keys are bytes, so that both databases order them
-- by their bytes.
CREATE TABLE bucket (
	name       TEXT PRIMARY KEY,
	region     TEXT NOT NULL,
	versioning TEXT NOT NULL,
	seq        BIGINT NOT NULL, -- the last that an object of it was given
	created    BIGINT NOT NULL,
	info       TEXT NOT NULL
) {rowless};

CREATE TABLE object (
	bucket   TEXT NOT NULL,
	key      {blob} NOT NULL,
	seq      BIGINT NOT NULL,
	version  TEXT NOT NULL,
	latest   BIGINT NOT NULL,
	marker   BIGINT NOT NULL,
	size     BIGINT NOT NULL,
	etag     TEXT NOT NULL,
	modified BIGINT NOT NULL,
	info     TEXT NOT NULL,
	pieces   TEXT NOT NULL, -- JSON; last, since lists do not read it
	PRIMARY KEY (bucket, key, seq)
) {rowless};

CREATE INDEX object_latest ON object (bucket, key) WHERE latest = 1 AND marker = 0;

CREATE TABLE upload (
	bucket  TEXT NOT NULL,
	key     {blob} NOT NULL,
	id      TEXT NOT NULL,
	created BIGINT NOT NULL,
	info    TEXT NOT NULL,
	PRIMARY KEY (bucket, key, id)
) {rowless};

CREATE TABLE part (
	upload   TEXT NOT NULL,
	n        BIGINT NOT NULL,
	content  TEXT NOT NULL,
	size     BIGINT NOT NULL,
	checksum TEXT NOT NULL,
	etag     TEXT NOT NULL,
	modified BIGINT NOT NULL,
	PRIMARY KEY (upload, n)
) {rowless};

-- Every file that an object or a part of an upload needs. A file that is not
-- here may be removed.
CREATE TABLE content (
	id TEXT PRIMARY KEY
) {rowless};
