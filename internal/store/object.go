package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// MaxBuckets is how many buckets there may be.
const MaxBuckets = 10000

// CreateBucket keeps b. The error is flow.Conflict when the name is taken and
// flow.Quota when there are MaxBuckets already.
func (db *DB) CreateBucket(ctx context.Context, b flow.Bucket) error {
	return db.write(ctx, func(t *tx) error {
		_, err := bucket(t, b.Name)
		if err == nil {
			return flow.Errorf(flow.Conflict, "bucket %q exists already", b.Name).About("bucket", b.Name)
		}
		if flow.KindOf(err) != flow.NotFound {
			return err
		}
		have, err := number(t, `SELECT count(*) FROM bucket`)
		if err != nil {
			return err
		}
		if have >= MaxBuckets {
			return flow.Errorf(flow.Quota, "there are %d buckets already", have).About("bucket", b.Name)
		}
		_, err = t.exec(`
			INSERT INTO bucket (name, region, versioning, seq, created, info)
			VALUES ($1, $2, $3, 0, $4, $5)`,
			b.Name, b.Region, string(b.Versioning), micros(b.Created), string(b.Info))
		return err
	})
}

// Bucket returns the bucket called name, or a flow.NotFound error.
func (db *DB) Bucket(ctx context.Context, name string) (flow.Bucket, error) {
	return bucket(db.read(ctx), name)
}

const bucketColumns = `name, region, versioning, info, created`

func bucket(q querier, name string) (flow.Bucket, error) {
	b, err := one(q, scanBucket, `SELECT `+bucketColumns+` FROM bucket WHERE name = $1`, name)
	if errors.Is(err, sql.ErrNoRows) {
		return b, noBucket(name)
	}
	return b, err
}

func scanBucket(s scanner) (b flow.Bucket, err error) {
	err = s.Scan(&b.Name, &b.Region, &b.Versioning, raw{&b.Info}, at{&b.Created})
	return b, err
}

func noBucket(name string) error {
	return flow.Errorf(flow.NotFound, "bucket %q does not exist", name).About("bucket", name)
}

// Buckets returns all buckets in the order of their names.
func (db *DB) Buckets(ctx context.Context) ([]flow.Bucket, error) {
	all, err := list(db.read(ctx), scanBucket, `SELECT `+bucketColumns+` FROM bucket`)
	slices.SortFunc(all, func(a, b flow.Bucket) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// SetVersioning changes what writes to the bucket do to what was there.
func (db *DB) SetVersioning(ctx context.Context, name string, v flow.Versioning) error {
	return db.changeBucket(ctx, name, `UPDATE bucket SET versioning = $1 WHERE name = $2`, string(v))
}

// SetBucketInfo replaces the bucket's info.
func (db *DB) SetBucketInfo(ctx context.Context, name string, info json.RawMessage) error {
	return db.changeBucket(ctx, name, `UPDATE bucket SET info = $1 WHERE name = $2`, string(info))
}

func (db *DB) changeBucket(ctx context.Context, name, text, value string) error {
	return db.write(ctx, func(t *tx) error {
		n, err := t.exec(text, value, name)
		if err == nil && n == 0 {
			return noBucket(name)
		}
		return err
	})
}

// DeleteBucket removes an empty bucket and the uploads that were begun in it,
// and returns the contents that nothing needs any more. The error is
// flow.Conflict while any version of an object or deletion mark is in it.
func (db *DB) DeleteBucket(ctx context.Context, name string) (freed []string, err error) {
	err = db.write(ctx, func(t *tx) error {
		freed = nil
		if _, _, err := nextSeq(t, name); err != nil {
			return err
		}
		n, err := number(t, `SELECT count(*) FROM (SELECT 1 FROM object WHERE bucket = $1 LIMIT 1) AS any_object`, name)
		if err != nil {
			return err
		}
		if n > 0 {
			return flow.Errorf(flow.Conflict, "bucket %q is not empty", name).About("bucket", name)
		}
		ids, err := list(t, value[string], `SELECT id FROM upload WHERE bucket = $1`, name)
		if err != nil {
			return err
		}
		for _, id := range ids {
			gone, err := dropParts(t, id, nil)
			if err != nil {
				return err
			}
			freed = append(freed, gone...)
		}
		if _, err := t.exec(`DELETE FROM upload WHERE bucket = $1`, name); err != nil {
			return err
		}
		_, err = t.exec(`DELETE FROM bucket WHERE name = $1`, name)
		return err
	})
	return freed, err
}

// nextSeq counts the bucket's seq up. Since it changes the bucket's row, the
// transactions that write to one bucket follow one another.
func nextSeq(t *tx, name string) (seq int64, v flow.Versioning, err error) {
	type next struct {
		seq int64
		v   flow.Versioning
	}
	n, err := one(t, func(s scanner) (n next, err error) { return n, s.Scan(&n.seq, &n.v) },
		`UPDATE bucket SET seq = seq + 1 WHERE name = $1 RETURNING seq, versioning`, name)
	if errors.Is(err, sql.ErrNoRows) {
		err = noBucket(name)
	}
	return n.seq, n.v, err
}

// PutObject makes o the newest version of its key, if g holds, and returns it
// as it was kept, with the contents that nothing needs any more. o.Version is
// used where the bucket keeps versions. When g does not hold the error is
// flow.Conflict about a "precondition", or flow.NotFound if g wants an object
// and there is none.
func (db *DB) PutObject(ctx context.Context, o flow.Object, g flow.Guard) (kept flow.Object, freed []string, err error) {
	err = db.write(ctx, func(t *tx) error {
		kept, freed = o, nil
		if err := putObject(t, &kept, g, &freed); err != nil {
			return err
		}
		return hold(t, kept.Pieces)
	})
	return kept, freed, err
}

func putObject(t *tx, o *flow.Object, g flow.Guard, freed *[]string) error {
	seq, v, err := nextSeq(t, o.Bucket)
	if err != nil {
		return err
	}
	if err := check(t, o.Bucket, o.Key, g); err != nil {
		return err
	}
	if v != flow.Enabled {
		o.Version = flow.NullVersion
		if _, err := dropVersion(t, o.Bucket, o.Key, o.Version, freed); err != nil {
			return err
		}
	}
	if _, err := t.exec(`UPDATE object SET latest = 0 WHERE bucket = $1 AND key = $2 AND latest = 1`,
		o.Bucket, []byte(o.Key)); err != nil {
		return err
	}
	o.Seq, o.Latest = seq, true
	pieces, err := json.Marshal(o.Pieces)
	if err != nil {
		return err
	}
	_, err = t.exec(`
		INSERT INTO object (bucket, key, seq, version, latest, marker, size, etag, modified, info, pieces)
		VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10)`,
		o.Bucket, []byte(o.Key), o.Seq, o.Version, bit(o.Marker), o.Size, o.ETag, micros(o.Modified), string(o.Info), string(pieces))
	return err
}

// check reports whether g holds for the newest version of the key.
func check(t *tx, bucket, key string, g flow.Guard) error {
	if !g.Absent && g.ETag == "" {
		return nil
	}
	now, err := object(t, bucket, key, "")
	there := err == nil && !now.Marker
	if err != nil && flow.KindOf(err) != flow.NotFound {
		return err
	}
	switch {
	case g.Absent && there:
		return flow.Errorf(flow.Conflict, "object %q exists", key).About("precondition", key)
	case g.ETag != "" && !there:
		return noObject(bucket, key)
	case g.ETag != "" && g.ETag != "*" && g.ETag != now.ETag:
		return flow.Errorf(flow.Conflict, "object %q has another ETag", key).About("precondition", key)
	}
	return nil
}

// Object returns one version of an object, the newest if version is empty: it
// may be a deletion mark. The flow.NotFound error is about the "bucket", the
// "object" or the "version".
func (db *DB) Object(ctx context.Context, bucket, key, version string) (flow.Object, error) {
	q := db.read(ctx)
	o, err := object(q, bucket, key, version)
	if flow.KindOf(err) == flow.NotFound {
		if n, err := number(q, `SELECT count(*) FROM bucket WHERE name = $1`, bucket); err != nil {
			return o, err
		} else if n == 0 {
			return o, noBucket(bucket)
		}
	}
	return o, err
}

const (
	listColumns   = `bucket, key, seq, version, latest, marker, size, etag, modified`
	objectColumns = listColumns + `, info, pieces`
)

func object(q querier, bucket, key, version string) (o flow.Object, err error) {
	if version == "" {
		o, err = one(q, scanObject, `SELECT `+objectColumns+` FROM object WHERE bucket = $1 AND key = $2 ORDER BY seq DESC LIMIT 1`,
			bucket, []byte(key))
	} else {
		o, err = one(q, scanObject, `SELECT `+objectColumns+` FROM object WHERE bucket = $1 AND key = $2 AND version = $3`,
			bucket, []byte(key), version)
	}
	if errors.Is(err, sql.ErrNoRows) {
		if version == "" {
			return o, noObject(bucket, key)
		}
		return o, flow.Errorf(flow.NotFound, "object %q of bucket %q has no version %q", key, bucket, version).About("version", version)
	}
	return o, err
}

func noObject(bucket, key string) error {
	return flow.Errorf(flow.NotFound, "object %q does not exist in bucket %q", key, bucket).About("object", key)
}

func scanObject(s scanner) (o flow.Object, err error) {
	var key []byte
	var latest, marker int64
	var pieces string
	err = s.Scan(&o.Bucket, &key, &o.Seq, &o.Version, &latest, &marker, &o.Size, &o.ETag, at{&o.Modified}, raw{&o.Info}, &pieces)
	if err != nil {
		return o, err
	}
	o.Key, o.Latest, o.Marker = string(key), latest == 1, marker == 1
	if err := json.Unmarshal([]byte(pieces), &o.Pieces); err != nil {
		return o, fmt.Errorf("pieces of object %s/%s: %w", o.Bucket, o.Key, err)
	}
	return o, nil
}

// scanListed reads what lists show.
func scanListed(s scanner) (o flow.Object, err error) {
	var key []byte
	var latest, marker int64
	err = s.Scan(&o.Bucket, &key, &o.Seq, &o.Version, &latest, &marker, &o.Size, &o.ETag, at{&o.Modified})
	o.Key, o.Latest, o.Marker = string(key), latest == 1, marker == 1
	return o, err
}

// Objects returns the rows that r selects, without their Info and Pieces. A
// bucket that does not exist has none.
func (db *DB) Objects(ctx context.Context, r flow.ObjectRange) ([]flow.Object, error) {
	// "key < $5" has no text for "no end", since there is no greatest key, but
	// none is longer than 1024 bytes and none begins with a byte of 255.
	to := []byte(r.To)
	if r.To == "" {
		to = []byte{0xff}
	}
	if r.History {
		return list(db.read(ctx), scanListed, `
			SELECT `+listColumns+` FROM object
			WHERE bucket = $1 AND key >= $2 AND key < $3 AND (key > $2 OR seq < $4)
			ORDER BY key, seq DESC LIMIT $5`,
			r.Bucket, []byte(r.From), to, r.Below, r.Limit)
	}
	return list(db.read(ctx), scanListed, `
		SELECT `+listColumns+` FROM object
		WHERE bucket = $1 AND key >= $2 AND key < $3 AND (key > $2 OR seq < $4) AND latest = 1 AND marker = 0
		ORDER BY key LIMIT $5`,
		r.Bucket, []byte(r.From), to, r.Below, r.Limit)
}

// DeleteObject deletes an object. With a version, that version is gone for
// good. Without one, the object is gone where the bucket keeps no versions,
// and otherwise hidden by a mark whose version is fresh. It returns the
// version that was removed or the mark that was made, zero if there was
// neither, and the contents that nothing needs any more. g is as for
// [DB.PutObject].
func (db *DB) DeleteObject(ctx context.Context, bucket, key, version, fresh string, now time.Time, g flow.Guard) (o flow.Object, freed []string, err error) {
	err = db.write(ctx, func(t *tx) error {
		o, freed = flow.Object{}, nil
		_, v, err := nextSeq(t, bucket)
		if err != nil {
			return err
		}
		if err := check(t, bucket, key, g); err != nil {
			return err
		}
		if version == "" && v != flow.Unversioned {
			o = flow.Object{Bucket: bucket, Key: key, Version: fresh, Marker: true, Modified: now}
			return putObject(t, &o, flow.Guard{}, &freed)
		}
		if version == "" {
			version = flow.NullVersion
		}
		o, err = dropVersion(t, bucket, key, version, &freed)
		return err
	})
	return o, freed, err
}

// dropVersion removes a version, if it exists, and lets the one before it be
// the newest.
func dropVersion(t *tx, bucket, key, version string, freed *[]string) (flow.Object, error) {
	o, err := object(t, bucket, key, version)
	if flow.KindOf(err) == flow.NotFound {
		return flow.Object{}, nil
	}
	if err != nil {
		return o, err
	}
	if _, err := t.exec(`DELETE FROM object WHERE bucket = $1 AND key = $2 AND seq = $3`, bucket, []byte(key), o.Seq); err != nil {
		return o, err
	}
	if o.Latest {
		if _, err := t.exec(`
			UPDATE object SET latest = 1 WHERE bucket = $1 AND key = $2
			AND seq = (SELECT max(seq) FROM object WHERE bucket = $1 AND key = $2)`, bucket, []byte(key)); err != nil {
			return o, err
		}
	}
	for _, p := range o.Pieces {
		if err := release(t, p.ID, freed); err != nil {
			return o, err
		}
	}
	return o, nil
}

// SetObjectInfo replaces the info of a version, if it is still seq.
func (db *DB) SetObjectInfo(ctx context.Context, bucket, key string, seq int64, info json.RawMessage) error {
	return db.write(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE object SET info = $1 WHERE bucket = $2 AND key = $3 AND seq = $4`,
			string(info), bucket, []byte(key), seq)
		if err == nil && n == 0 {
			return noObject(bucket, key)
		}
		return err
	})
}

// CreateUpload keeps u. The error is flow.NotFound when its bucket does not
// exist.
func (db *DB) CreateUpload(ctx context.Context, u flow.Upload) error {
	return db.write(ctx, func(t *tx) error {
		if _, _, err := nextSeq(t, u.Bucket); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO upload (bucket, key, id, created, info) VALUES ($1, $2, $3, $4, $5)`,
			u.Bucket, []byte(u.Key), u.ID, micros(u.Created), string(u.Info))
		return err
	})
}

// Upload returns an upload that is under way, or a flow.NotFound error about
// the "upload".
func (db *DB) Upload(ctx context.Context, bucket, key, id string) (flow.Upload, error) {
	return upload(db.read(ctx), bucket, key, id)
}

const uploadColumns = `bucket, key, id, info, created`

func upload(q querier, bucket, key, id string) (flow.Upload, error) {
	u, err := one(q, scanUpload, `SELECT `+uploadColumns+` FROM upload WHERE bucket = $1 AND key = $2 AND id = $3`,
		bucket, []byte(key), id)
	if errors.Is(err, sql.ErrNoRows) {
		return u, flow.Errorf(flow.NotFound, "upload %q does not exist", id).About("upload", id)
	}
	return u, err
}

func scanUpload(s scanner) (u flow.Upload, err error) {
	var key []byte
	err = s.Scan(&u.Bucket, &key, &u.ID, raw{&u.Info}, at{&u.Created})
	u.Key = string(key)
	return u, err
}

// Uploads returns the uploads that r selects.
func (db *DB) Uploads(ctx context.Context, r flow.UploadRange) ([]flow.Upload, error) {
	// An id is ASCII: none is greater than this text.
	after := r.AfterID
	if after == "" && r.After != "" {
		after = "~"
	}
	return list(db.read(ctx), scanUpload, `
		SELECT `+uploadColumns+` FROM upload
		WHERE bucket = $1 AND key >= $2 AND (key > $2 OR id > $3) AND substr(key, 1, $4) = $5
		ORDER BY key, id LIMIT $6`,
		r.Bucket, []byte(r.After), after, len(r.Prefix), []byte(r.Prefix), r.Limit)
}

// PutPart keeps p in place of the part with its number, and returns the
// contents that nothing needs any more. The error is flow.NotFound when the
// upload is not under way.
func (db *DB) PutPart(ctx context.Context, bucket, key string, p flow.Part) (freed []string, err error) {
	err = db.write(ctx, func(t *tx) error {
		freed = nil
		// Reading the upload is enough to be in the way of its end: PostgreSQL
		// refuses one of the two.
		if _, err := upload(t, bucket, key, p.Upload); err != nil {
			return err
		}
		old, err := list(t, value[string], `SELECT content FROM part WHERE upload = $1 AND n = $2`, p.Upload, p.N)
		if err != nil {
			return err
		}
		for _, id := range old {
			if err := release(t, id, &freed); err != nil {
				return err
			}
		}
		_, err = t.exec(`
			INSERT INTO part (upload, n, content, size, checksum, etag, modified) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (upload, n) DO UPDATE SET content = excluded.content, size = excluded.size,
				checksum = excluded.checksum, etag = excluded.etag, modified = excluded.modified`,
			p.Upload, p.N, p.Piece.ID, p.Piece.Size, p.Piece.Check, p.ETag, micros(p.Modified))
		if err != nil {
			return err
		}
		return hold(t, []flow.Piece{p.Piece})
	})
	return freed, err
}

// Parts returns at most limit parts of the upload whose numbers are greater
// than after, in order.
func (db *DB) Parts(ctx context.Context, upload string, after, limit int) ([]flow.Part, error) {
	return parts(db.read(ctx), upload, after, limit)
}

func parts(q querier, upload string, after, limit int) ([]flow.Part, error) {
	return list(q, func(s scanner) (p flow.Part, err error) {
		err = s.Scan(&p.Upload, &p.N, &p.Piece.ID, &p.Piece.Size, &p.Piece.Check, &p.ETag, at{&p.Modified})
		return p, err
	}, `SELECT upload, n, content, size, checksum, etag, modified FROM part WHERE upload = $1 AND n > $2 ORDER BY n LIMIT $3`,
		upload, after, limit)
}

// FinishUpload ends the upload by making o, whose pieces are parts of it, the
// newest version of its key: see [DB.PutObject]. The parts that are not used
// are let go. When one of o's pieces is not a part any more the error is
// flow.Conflict about a "part".
func (db *DB) FinishUpload(ctx context.Context, id string, o flow.Object, g flow.Guard) (kept flow.Object, freed []string, err error) {
	err = db.write(ctx, func(t *tx) error {
		kept, freed = o, nil
		if _, err := upload(t, o.Bucket, o.Key, id); err != nil {
			return err
		}
		used := map[string]bool{}
		for _, p := range o.Pieces {
			used[p.ID] = true
		}
		have, err := list(t, value[string], `SELECT content FROM part WHERE upload = $1`, id)
		if err != nil {
			return err
		}
		found := 0
		for _, c := range have {
			if used[c] {
				found++
			}
		}
		if found != len(o.Pieces) {
			return flow.Errorf(flow.Conflict, "a part of upload %q was replaced", id).About("part", id)
		}
		if err := putObject(t, &kept, g, &freed); err != nil {
			return err
		}
		rest, err := dropParts(t, id, used)
		if err != nil {
			return err
		}
		freed = append(freed, rest...)
		_, err = t.exec(`DELETE FROM upload WHERE bucket = $1 AND key = $2 AND id = $3`, o.Bucket, []byte(o.Key), id)
		return err
	})
	return kept, freed, err
}

// AbortUpload ends the upload without an object and returns the contents that
// nothing needs any more.
func (db *DB) AbortUpload(ctx context.Context, bucket, key, id string) (freed []string, err error) {
	err = db.write(ctx, func(t *tx) error {
		if _, err := upload(t, bucket, key, id); err != nil {
			return err
		}
		if freed, err = dropParts(t, id, nil); err != nil {
			return err
		}
		_, err = t.exec(`DELETE FROM upload WHERE bucket = $1 AND key = $2 AND id = $3`, bucket, []byte(key), id)
		return err
	})
	return freed, err
}

// dropParts removes the parts of an upload, and lets go the contents that are
// not in used.
func dropParts(t *tx, id string, used map[string]bool) (freed []string, err error) {
	have, err := list(t, value[string], `SELECT content FROM part WHERE upload = $1`, id)
	if err != nil {
		return nil, err
	}
	for _, c := range have {
		if used[c] {
			continue
		}
		if err := release(t, c, &freed); err != nil {
			return nil, err
		}
	}
	_, err = t.exec(`DELETE FROM part WHERE upload = $1`, id)
	return freed, err
}

// hold remembers contents, release forgets one.
func hold(t *tx, pieces []flow.Piece) error {
	for _, p := range pieces {
		if _, err := t.exec(`INSERT INTO content (id) VALUES ($1)`, p.ID); err != nil {
			return err
		}
	}
	return nil
}

func release(t *tx, id string, freed *[]string) error {
	*freed = append(*freed, id)
	_, err := t.exec(`DELETE FROM content WHERE id = $1`, id)
	return err
}

// Held returns those of ids that an object or a part needs.
func (db *DB) Held(ctx context.Context, ids []string) ([]string, error) {
	var held []string
	err := db.snapshot(ctx, func(q querier) error {
		for _, id := range ids {
			got, err := list(q, value[string], `SELECT id FROM content WHERE id = $1`, id)
			if err != nil {
				return err
			}
			held = append(held, got...)
		}
		return nil
	})
	return held, err
}
