-- Runs that are being removed, in several writes: what a crash leaves of one is
-- removed at the next start.
CREATE TABLE dropping (
	run TEXT PRIMARY KEY
) {rowless};
