package s3door

import (
	"context"
	"encoding/base64"
	"math"
	"net/http"
	"strings"

	"fairlead/internal/flow"
)

// A walk goes through the keys of a bucket that begin with a prefix, and
// takes all that continue up to a delimiter for one.
type walk struct {
	bucket, prefix, delimiter string
	// from and below are where to begin, as in flow.ObjectRange.
	from    string
	below   int64
	history bool
	limit   int
}

// found is what a walk came upon. Objects and prefixes are each in order.
type found struct {
	objects  []flow.Object
	prefixes []string
	more     bool
	// last is the item before which the walk stopped short: an object, or a
	// prefix in Key with a Seq of 0.
	last flow.Object
}

// run walks until the limit. It skips over what lies below a common prefix
// instead of reading it.
func (w walk) run(ctx context.Context, index Objects) (found, error) {
	var f found
	if w.limit == 0 {
		return f, nil
	}
	next := flow.ObjectRange{Bucket: w.bucket, From: w.from, Below: w.below, To: beyond(w.prefix), History: w.history}
	if next.From < w.prefix {
		next.From, next.Below = w.prefix, math.MaxInt64
	}
	// One who continues after a common prefix has seen all that is below it.
	common := w.common(w.from)
	if common != "" && common == w.from {
		next.From, next.Below = beyond(common), math.MaxInt64
	} else {
		common = ""
	}
	for {
		next.Limit = min(w.limit-len(f.objects)-len(f.prefixes)+1, 1000)
		if w.delimiter != "" {
			next.Limit = min(next.Limit, 100) // much of it may lie below one prefix
		}
		rows, err := index.Objects(ctx, next)
		if err != nil {
			return f, err
		}
		for _, o := range rows {
			next.From, next.Below = o.Key, o.Seq
			c := w.common(o.Key)
			if c != "" && c == common {
				continue
			}
			if len(f.objects)+len(f.prefixes) == w.limit {
				f.more = true
				return f, nil
			}
			if c != "" {
				common = c
				f.prefixes = append(f.prefixes, c)
				f.last = flow.Object{Key: c}
				continue
			}
			f.objects = append(f.objects, o)
			f.last = o
		}
		if len(rows) < next.Limit {
			return f, nil
		}
		if common != "" && strings.HasPrefix(next.From, common) {
			next.From, next.Below = beyond(common), math.MaxInt64
		}
	}
}

// common returns the common prefix that key counts under, or "".
func (w walk) common(key string) string {
	if w.delimiter == "" || !strings.HasPrefix(key, w.prefix) {
		return ""
	}
	i := strings.Index(key[len(w.prefix):], w.delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(w.prefix)+i+len(w.delimiter)]
}

// beyond returns the first text after all that begin with prefix, in the
// order of bytes; "" if there is none.
func beyond(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return ""
}

// A query is what the lists share.
type listQuery struct {
	prefix, delimiter string
	limit             int
	encode            func(string) string
	encoding          string
}

func (r *request) listQuery(limitName string) (q listQuery, err error) {
	q.prefix, q.delimiter = r.query.Get("prefix"), r.query.Get("delimiter")
	q.encode = func(s string) string { return s }
	switch q.encoding = r.query.Get("encoding-type"); q.encoding {
	case "":
	case "url":
		q.encode = encodeURL
	default:
		return q, invalid("encoding-type", q.encoding, "Invalid Encoding Method specified in Request")
	}
	for _, name := range []string{"prefix", "delimiter", "marker", "start-after", "key-marker", "version-id-marker", "upload-id-marker"} {
		if v := r.query.Get(name); len(v) > maxKey {
			return q, invalid(name, v, "the parameter is longer than a key may be")
		}
	}
	q.limit, err = r.limit(limitName, 1000, 1000)
	return q, err
}

type prefixItem struct{ Prefix string }

type objectItem struct {
	Key          string
	LastModified string
	ETag         string
	Size         int64
	StorageClass string
	Owner        *owner
}

// listObjects answers both versions of the list.
func (d *Door) listObjects(ctx context.Context, r *request) error {
	q, err := r.listQuery("max-keys")
	if err != nil {
		return err
	}
	var out struct {
		XMLName               xmlName `xml:"ListBucketResult"`
		Name                  string
		Prefix                string
		Delimiter             string  `xml:",omitempty"`
		Marker                *string `xml:",omitempty"`
		StartAfter            string  `xml:",omitempty"`
		ContinuationToken     string  `xml:",omitempty"`
		NextMarker            string  `xml:",omitempty"`
		NextContinuationToken string  `xml:",omitempty"`
		KeyCount              *int    `xml:",omitempty"`
		MaxKeys               int
		EncodingType          string `xml:",omitempty"`
		IsTruncated           bool
		Contents              []objectItem
		CommonPrefixes        []prefixItem
	}
	second := r.query.Get("list-type") == "2"
	w := walk{bucket: r.bucket, prefix: q.prefix, delimiter: q.delimiter, limit: q.limit}
	if second {
		w.from = r.query.Get("start-after")
		out.StartAfter = q.encode(w.from)
		if r.query.Has("continuation-token") {
			out.ContinuationToken = r.query.Get("continuation-token")
			raw, err := base64.RawURLEncoding.DecodeString(out.ContinuationToken)
			if err != nil || len(raw) == 0 || len(raw) > maxKey {
				return invalid("continuation-token", out.ContinuationToken, "The continuation token provided is incorrect")
			}
			w.from = string(raw)
		}
	} else {
		w.from = r.query.Get("marker")
		m := q.encode(w.from)
		out.Marker = &m
	}
	if _, err := d.Index.Bucket(ctx, r.bucket); err != nil {
		return err
	}
	f, err := w.run(ctx, d.Index)
	if err != nil {
		return err
	}
	out.Name, out.Prefix, out.Delimiter = r.bucket, q.encode(q.prefix), q.encode(q.delimiter)
	out.MaxKeys, out.EncodingType, out.IsTruncated = q.limit, q.encoding, f.more
	owned := !second || r.query.Get("fetch-owner") == "true"
	for _, o := range f.objects {
		item := objectItem{Key: q.encode(o.Key), LastModified: stamp(o.Modified), ETag: `"` + o.ETag + `"`, Size: o.Size, StorageClass: "STANDARD"}
		if owned {
			who := d.owner()
			item.Owner = &who
		}
		out.Contents = append(out.Contents, item)
	}
	for _, p := range f.prefixes {
		out.CommonPrefixes = append(out.CommonPrefixes, prefixItem{q.encode(p)})
	}
	if second {
		n := len(f.objects) + len(f.prefixes)
		out.KeyCount = &n
		if f.more {
			out.NextContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(f.last.Key))
		}
	} else if f.more && q.delimiter != "" {
		out.NextMarker = q.encode(f.last.Key)
	}
	return r.xml(http.StatusOK, out)
}

func (d *Door) listVersions(ctx context.Context, r *request) error {
	q, err := r.listQuery("max-keys")
	if err != nil {
		return err
	}
	type version struct {
		XMLName      xmlName
		Key          string
		VersionID    string `xml:"VersionId"`
		IsLatest     bool
		LastModified string
		ETag         string `xml:",omitempty"`
		Size         *int64
		StorageClass string `xml:",omitempty"`
		Owner        owner
	}
	var out struct {
		XMLName             xmlName `xml:"ListVersionsResult"`
		Name                string
		Prefix              string
		Delimiter           string `xml:",omitempty"`
		KeyMarker           string
		VersionIDMarker     string `xml:"VersionIdMarker"`
		NextKeyMarker       string `xml:",omitempty"`
		NextVersionIDMarker string `xml:"NextVersionIdMarker,omitempty"`
		MaxKeys             int
		EncodingType        string `xml:",omitempty"`
		IsTruncated         bool
		Versions            []version // both kinds, in one order
		CommonPrefixes      []prefixItem
	}
	w := walk{bucket: r.bucket, prefix: q.prefix, delimiter: q.delimiter, limit: q.limit, history: true}
	w.from, out.VersionIDMarker = r.query.Get("key-marker"), r.query.Get("version-id-marker")
	if _, err := d.Index.Bucket(ctx, r.bucket); err != nil {
		return err
	}
	if m := out.VersionIDMarker; m != "" {
		if w.from == "" {
			return invalid("version-id-marker", m, "A version-id marker cannot be specified without a key marker.")
		}
		o, err := d.Index.Object(ctx, r.bucket, w.from, m)
		if flow.KindOf(err) == flow.NotFound {
			return invalid("version-id-marker", m, "Invalid version id specified")
		}
		if err != nil {
			return err
		}
		w.below = o.Seq
	}
	f, err := w.run(ctx, d.Index)
	if err != nil {
		return err
	}
	out.Name, out.Prefix, out.Delimiter, out.KeyMarker = r.bucket, q.encode(q.prefix), q.encode(q.delimiter), q.encode(w.from)
	out.MaxKeys, out.EncodingType, out.IsTruncated = q.limit, q.encoding, f.more
	for _, o := range f.objects {
		v := version{XMLName: xmlName{Local: "Version"}, Key: q.encode(o.Key), VersionID: o.Version, IsLatest: o.Latest,
			LastModified: stamp(o.Modified), Owner: d.owner()}
		if o.Marker {
			v.XMLName.Local = "DeleteMarker"
		} else {
			v.ETag, v.Size, v.StorageClass = `"`+o.ETag+`"`, &o.Size, "STANDARD"
		}
		out.Versions = append(out.Versions, v)
	}
	for _, p := range f.prefixes {
		out.CommonPrefixes = append(out.CommonPrefixes, prefixItem{q.encode(p)})
	}
	if f.more {
		out.NextKeyMarker, out.NextVersionIDMarker = q.encode(f.last.Key), f.last.Version
	}
	return r.xml(http.StatusOK, out)
}
