-- What the deployment remembers about itself, by key.
CREATE TABLE setting (
	key   TEXT PRIMARY KEY,
	value {blob} NOT NULL
) {rowless};
