-- What sinks are to be told of resources, which have no journal: written in the
-- transaction that changes one, gone when every sink knows it. In delivery, the
-- topic stands for a run.
CREATE TABLE notice (
	topic TEXT NOT NULL, -- the resource's kind, a slash and its id
	seq   BIGINT NOT NULL,
	body  TEXT NOT NULL, -- JSON
	PRIMARY KEY (topic, seq)
) {rowless};
INSERT INTO sequence (name, last) VALUES ('notice', 0);
