package s3door

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// maxPut is how many bytes one request may bring: 5 GiB, as S3 allows.
const maxPut = 5 << 30

func tooLarge() error {
	return newError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size").about("MaxSizeAllowed", fmt.Sprint(int64(maxPut)))
}

// objectInfo is what the door keeps with an object, or with an upload until
// it becomes one.
type objectInfo struct {
	// Headers come back as they were sent, keyed by their lower-case names.
	Headers map[string]string `json:",omitempty"`
	// Meta is the user's, keyed by what follows "x-amz-meta-".
	Meta     map[string]string `json:",omitempty"`
	Tags     []tag             `json:",omitempty"`
	Checksum *checksum         `json:",omitempty"`
	// Upload is the upload that made the object.
	Upload string `json:",omitempty"`
}

// keptHeaders are the headers that describe the content and come back.
// Encryption is among them: nothing is encrypted here, but clients ask for it
// as a matter of course and compare the answer.
var keptHeaders = [...]string{
	"content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
	"x-amz-website-redirect-location", "x-amz-storage-class", "x-amz-server-side-encryption",
	"x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-bucket-key-enabled",
}

// maxMeta is how many bytes the user's metadata may have, names and values.
const maxMeta = 2 << 10

// maxHeader bounds each kept header.
const maxHeader = 4 << 10

// info reads what the request's header says about an object.
func (r *request) info() (objectInfo, error) {
	info := objectInfo{Headers: map[string]string{}}
	for _, name := range keptHeaders {
		v := r.Header.Get(name)
		if name == "content-encoding" {
			v = withoutChunked(v)
		}
		if len(v) > maxHeader {
			return info, invalid(name, v, "the header is too long")
		}
		if v != "" {
			info.Headers[name] = v
		}
	}
	if c := info.Headers["x-amz-storage-class"]; c == "STANDARD" {
		delete(info.Headers, "x-amz-storage-class")
	} else if len(c) > 32 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
		return info, newError("InvalidStorageClass", "The storage class you specified is not valid")
	}
	switch e := info.Headers["x-amz-server-side-encryption"]; e {
	case "", "AES256", "aws:kms", "aws:kms:dsse":
	default:
		return info, invalid("x-amz-server-side-encryption", e, "The encryption method specified is not supported")
	}
	size := 0
	for name, values := range r.Header {
		low := strings.ToLower(name)
		if key, ok := strings.CutPrefix(low, "x-amz-meta-"); ok {
			if info.Meta == nil {
				info.Meta = map[string]string{}
			}
			info.Meta[key] = strings.Join(values, ",")
			size += len(key) + len(info.Meta[key])
		}
		if strings.HasPrefix(low, "x-amz-server-side-encryption-customer-") || strings.HasPrefix(low, "x-amz-object-lock-") {
			return info, newError("NotImplemented", "A header you provided implies functionality that is not implemented: "+low)
		}
	}
	if size > maxMeta {
		return info, newError("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size").
			about("MaxSizeAllowed", strconv.Itoa(maxMeta)).about("Size", strconv.Itoa(size))
	}
	if t := r.Header.Get("x-amz-tagging"); t != "" {
		values, err := url.ParseQuery(t)
		if err != nil {
			return info, invalid("x-amz-tagging", t, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
		}
		for k, vs := range values {
			if len(vs) != 1 {
				return info, invalid("x-amz-tagging", t, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
			}
			info.Tags = append(info.Tags, tag{k, vs[0]})
		}
		if err := checkTags(info.Tags, 10); err != nil {
			return info, err
		}
	}
	return info, checkCanned(r.Header.Get("x-amz-acl"))
}

// withoutChunked removes from a Content-Encoding what describes the request
// and not the object.
func withoutChunked(v string) string {
	var kept []string
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" && !strings.EqualFold(part, "aws-chunked") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ",")
}

// set puts what is kept of an object into an answer's header.
func (i *objectInfo) set(h http.Header) {
	h.Set("Content-Type", "binary/octet-stream")
	for name, v := range i.Headers {
		h.Set(name, v)
	}
	for key, v := range i.Meta {
		// Not canonical: clients compare the names as they wrote them.
		h["x-amz-meta-"+key] = []string{v}
	}
	if n := len(i.Tags); n > 0 {
		h.Set("x-amz-tagging-count", strconv.Itoa(n))
	}
}

// setEncryption shows the encryption alone, for answers without an object.
func (i *objectInfo) setEncryption(h http.Header) {
	for name, v := range i.Headers {
		if strings.HasPrefix(name, "x-amz-server-side-encryption") {
			h.Set(name, v)
		}
	}
}

// guard reads the conditions of a write.
func (r *request) guard() (flow.Guard, error) {
	var g flow.Guard
	switch none := r.Header.Get("If-None-Match"); none {
	case "":
	case "*":
		g.Absent = true
	default:
		return g, newError("NotImplemented", "A header you provided implies functionality that is not implemented: If-None-Match with an ETag on a write")
	}
	g.ETag = unquote(r.Header.Get("If-Match"))
	if g.Absent && g.ETag != "" {
		return g, newError("NotImplemented", "A header you provided implies functionality that is not implemented: If-Match beside If-None-Match")
	}
	return g, nil
}

func unquote(etag string) string {
	return strings.Trim(strings.TrimPrefix(strings.TrimSpace(etag), "W/"), `"`)
}

// newVersion makes up the id of a version or upload.
func newVersion() string { return rand.Text() + rand.Text()[:6] }

// now is when a write happens. S3 keeps whole seconds, and conditions on
// times compare what clients were shown.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

func (d *Door) putObject(ctx context.Context, r *request) error {
	if r.Header.Get("x-amz-copy-source") != "" {
		return d.copyObject(ctx, r)
	}
	if _, err := d.Index.Bucket(ctx, r.bucket); err != nil {
		return err // before the content travels
	}
	info, err := r.info()
	if err != nil {
		return err
	}
	g, err := r.guard()
	if err != nil {
		return err
	}
	dig, err := r.digest(noChecksum)
	if err != nil {
		return err
	}
	pieces, err := d.receive(ctx, dig)
	if err != nil {
		return err
	}
	info.Checksum = dig.found()
	o := flow.Object{Bucket: r.bucket, Key: r.key, Size: dig.size, ETag: dig.etag(), Pieces: pieces}
	o, err = d.keep(ctx, o, info, g)
	if err != nil {
		return err
	}
	h := r.w.Header()
	h.Set("ETag", `"`+o.ETag+`"`)
	setVersion(h, o)
	info.Checksum.set(h)
	info.setEncryption(h)
	r.status(http.StatusOK)
	return nil
}

func setVersion(h http.Header, o flow.Object) {
	if o.Version != flow.NullVersion {
		h.Set("x-amz-version-id", o.Version)
	}
}

// receive keeps a request's content, which is at most one piece.
func (d *Door) receive(ctx context.Context, dig *digest) ([]flow.Piece, error) {
	if dig.body.size > maxPut {
		return nil, tooLarge()
	}
	id, size, err := d.Contents.Write(ctx, dig)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		d.free([]string{id}) // nothing needs a file for no bytes
		return nil, nil
	}
	return []flow.Piece{{ID: id, Size: size}}, nil
}

// keep makes o, whose contents are on disk, the newest version of its key.
func (d *Door) keep(ctx context.Context, o flow.Object, info objectInfo, g flow.Guard) (flow.Object, error) {
	packed, err := json.Marshal(info)
	if err != nil {
		return o, err
	}
	o.Version, o.Modified, o.Info = newVersion(), now(), packed
	pieces := o.Pieces
	o, freed, err := d.Index.PutObject(ctx, o, g)
	if err != nil {
		d.unless(err, pieces)
		return o, err
	}
	d.free(freed)
	return o, nil
}

// copySource reads which object a request copies.
func (r *request) copySource() (bucket, key, version string, err error) {
	src := r.Header.Get("x-amz-copy-source")
	bad := invalid("x-amz-copy-source", src, "Invalid copy source object key: expected bucket/key, with ?versionId= for an old version")
	path, query, _ := strings.Cut(src, "?")
	path, err = url.PathUnescape(strings.TrimPrefix(path, "/"))
	if err != nil {
		return "", "", "", bad
	}
	path = strings.TrimPrefix(path, "/") // it may have been escaped
	bucket, key, _ = strings.Cut(path, "/")
	if badBucketName(bucket) != "" || key == "" {
		return "", "", "", bad
	}
	if err := checkKey(key); err != nil {
		return "", "", "", err
	}
	if query != "" {
		values, err := url.ParseQuery(query)
		if err != nil || len(values) != 1 || values.Get("versionId") == "" {
			return "", "", "", bad
		}
		version = values.Get("versionId")
	}
	return bucket, key, version, nil
}

// source finds the object that a request copies, if its conditions hold.
func (d *Door) source(ctx context.Context, r *request) (flow.Object, objectInfo, error) {
	var info objectInfo
	bucket, key, version, err := r.copySource()
	if err != nil {
		return flow.Object{}, info, err
	}
	if err := d.permit(ctx, "GetObject", bucket, key, version); err != nil {
		return flow.Object{}, info, err
	}
	o, err := d.Index.Object(ctx, bucket, key, version)
	if err != nil {
		return o, info, err
	}
	if o.Marker {
		if version != "" {
			return o, info, newError("InvalidRequest", "The source of a copy request may not specifically refer to a delete marker by version id.")
		}
		return o, info, newError("NoSuchKey", "The specified key does not exist.").about("Key", key)
	}
	c := conditions{
		match:           r.Header.Get("x-amz-copy-source-if-match"),
		noneMatch:       r.Header.Get("x-amz-copy-source-if-none-match"),
		modifiedSince:   r.Header.Get("x-amz-copy-source-if-modified-since"),
		unmodifiedSince: r.Header.Get("x-amz-copy-source-if-unmodified-since"),
	}
	if c.check(o) != http.StatusOK {
		return o, info, newError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	}
	return o, info, unpack(o.Info, &info)
}

func (d *Door) copyObject(ctx context.Context, r *request) error {
	g, err := r.guard()
	if err != nil {
		return err
	}
	fresh, err := r.info()
	if err != nil {
		return err
	}
	for _, name := range []string{"x-amz-metadata-directive", "x-amz-tagging-directive"} {
		if v := r.Header.Get(name); v != "" && v != "COPY" && v != "REPLACE" {
			return invalid(name, v, "Unknown directive: expected COPY or REPLACE")
		}
	}
	if _, err := d.Index.Bucket(ctx, r.bucket); err != nil {
		return err
	}
	o, info, pieces, err := d.link(ctx, r)
	if err != nil {
		return err
	}
	replace := r.Header.Get("x-amz-metadata-directive") == "REPLACE"
	if o.Bucket == r.bucket && o.Key == r.key && o.Latest && !replace && len(fresh.Headers) == 0 {
		d.unless(flow.Errorf(flow.Invalid, "copied onto itself"), pieces)
		return newError("InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	sourceVersion := o.Version
	info.Upload = ""
	if r.Header.Get("x-amz-tagging-directive") == "REPLACE" {
		info.Tags = fresh.Tags
	}
	if replace {
		info.Headers, info.Meta = fresh.Headers, fresh.Meta
	} else {
		// These belong to the copy whatever the directive says.
		old := info.Headers
		info.Headers = map[string]string{}
		for name, v := range old {
			if !strings.HasPrefix(name, "x-amz-") {
				info.Headers[name] = v
			}
		}
		for name, v := range fresh.Headers {
			if strings.HasPrefix(name, "x-amz-") {
				info.Headers[name] = v
			}
		}
	}
	o, err = d.keep(ctx, flow.Object{Bucket: r.bucket, Key: r.key, Size: o.Size, ETag: o.ETag, Pieces: pieces}, info, g)
	if err != nil {
		return err
	}
	h := r.w.Header()
	if sourceVersion != flow.NullVersion {
		h.Set("x-amz-copy-source-version-id", sourceVersion)
	}
	setVersion(h, o)
	info.setEncryption(h)
	out := copyResult{XMLName: xmlName{Local: "CopyObjectResult"}, ETag: `"` + o.ETag + `"`, LastModified: stamp(o.Modified)}
	out.sums = sumsOf(info.Checksum)
	return r.xml(http.StatusOK, out)
}

type copyResult struct {
	XMLName      xmlName
	LastModified string
	ETag         string
	sums
}

// link finds the object that a request copies and keeps its contents once
// more.
func (d *Door) link(ctx context.Context, r *request) (o flow.Object, info objectInfo, pieces []flow.Piece, err error) {
	for range lookups {
		if o, info, err = d.source(ctx, r); err != nil {
			return o, info, nil, err
		}
		pieces = make([]flow.Piece, 0, len(o.Pieces))
		for _, p := range o.Pieces {
			var id string
			if id, err = d.Contents.Link(p.ID); err != nil {
				break
			}
			pieces = append(pieces, flow.Piece{ID: id, Size: p.Size, Check: p.Check})
		}
		if err == nil {
			return o, info, pieces, nil
		}
		for _, p := range pieces {
			d.free([]string{p.ID})
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return o, info, nil, fmt.Errorf("content of %s/%s: %w", o.Bucket, o.Key, err)
}

// lookups is how often a row is read again when its contents were gone: the
// object was replaced between the reading of its row and of its files.
const lookups = 4

func (d *Door) deleteObject(ctx context.Context, r *request) error {
	var g flow.Guard
	g.ETag = unquote(r.Header.Get("If-Match"))
	version, err := r.version()
	if err != nil {
		return err
	}
	o, freed, err := d.Index.DeleteObject(ctx, r.bucket, r.key, version, newVersion(), now(), g)
	if err != nil {
		return err
	}
	d.free(freed)
	h := r.w.Header()
	if version != "" {
		h.Set("x-amz-version-id", version)
	} else if o.Marker {
		h.Set("x-amz-version-id", o.Version)
	}
	if o.Marker {
		h.Set("x-amz-delete-marker", "true")
	}
	r.status(http.StatusNoContent)
	return nil
}

// version reads which version of the object is meant; empty is the newest.
func (r *request) version() (string, error) {
	v := r.query.Get("versionId")
	if r.query.Has("versionId") && v == "" {
		return "", invalid("versionId", v, "Version id cannot be the empty string")
	}
	if len(v) > 1024 || strings.Contains(v, "\x00") {
		return "", invalid("versionId", v, "Invalid version id specified")
	}
	return v, nil
}

// deleteObjects deletes up to 1000 objects. Several at a time: the store
// gathers their transactions.
func (d *Door) deleteObjects(ctx context.Context, r *request) error {
	var in struct {
		Quiet   bool
		Objects []struct {
			Key       string
			VersionID string `xml:"VersionId"`
			ETag      string
		} `xml:"Object"`
	}
	if err := r.document(&in); err != nil {
		return err
	}
	if len(in.Objects) == 0 || len(in.Objects) > 1000 {
		return newError("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema: there must be 1 to 1000 objects")
	}
	if _, err := d.Index.Bucket(ctx, r.bucket); err != nil {
		return err
	}
	type deleted struct {
		Key                   string
		VersionID             string `xml:"VersionId,omitempty"`
		DeleteMarker          bool   `xml:",omitempty"`
		DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId,omitempty"`
	}
	type failed struct {
		Key       string
		VersionID string `xml:"VersionId,omitempty"`
		Code      string
		Message   string
	}
	done := make([]deleted, len(in.Objects))
	errs := make([]error, len(in.Objects))
	inParallel(len(in.Objects), 32, func(i int) {
		want := in.Objects[i]
		done[i] = deleted{Key: want.Key, VersionID: want.VersionID}
		if errs[i] = checkKey(want.Key); errs[i] != nil {
			return
		}
		if want.Key == "" {
			errs[i] = newError("UserKeyMustBeSpecified", "A key must be specified")
			return
		}
		if errs[i] = d.permit(ctx, "DeleteObject", r.bucket, want.Key, want.VersionID); errs[i] != nil {
			return
		}
		o, freed, err := d.Index.DeleteObject(ctx, r.bucket, want.Key, want.VersionID, newVersion(), now(), flow.Guard{ETag: unquote(want.ETag)})
		if errs[i] = err; err != nil {
			return
		}
		d.free(freed)
		if o.Marker {
			done[i].DeleteMarker, done[i].DeleteMarkerVersionID = true, o.Version
		}
	})
	var out struct {
		XMLName xmlName `xml:"DeleteResult"`
		Deleted []deleted
		Error   []failed
	}
	for i, err := range errs {
		switch {
		case err != nil:
			e := Standard(err)
			if e.Code == "InternalError" {
				d.Log.ErrorContext(ctx, "internal error", "door", "s3", "request", r.id, "key", done[i].Key, "err", err)
			}
			out.Error = append(out.Error, failed{done[i].Key, done[i].VersionID, e.Code, e.Message})
		case !in.Quiet:
			out.Deleted = append(out.Deleted, done[i])
		}
	}
	return r.xml(http.StatusOK, out)
}

// inParallel calls f with 0 to n-1, at most width at a time.
func inParallel(n, width int, f func(i int)) {
	next := make(chan int)
	ended := make(chan struct{})
	width = min(width, n)
	for range width {
		go func() {
			defer func() { ended <- struct{}{} }()
			for i := range next {
				f(i)
			}
		}()
	}
	for i := range n {
		next <- i
	}
	close(next)
	for range width {
		<-ended
	}
}

func (d *Door) objectTagging(ctx context.Context, r *request) error {
	o, info, err := d.find(ctx, r)
	if err != nil {
		return err
	}
	setVersion(r.w.Header(), o)
	return r.xml(http.StatusOK, tagging{Tags: info.Tags}.orEmpty())
}

func (d *Door) putObjectTagging(ctx context.Context, r *request) error {
	var in tagging
	if err := r.document(&in); err != nil {
		return err
	}
	if err := checkTags(in.Tags, 10); err != nil {
		return err
	}
	return d.setObjectTags(ctx, r, in.Tags, http.StatusOK)
}

func (d *Door) deleteObjectTagging(ctx context.Context, r *request) error {
	return d.setObjectTags(ctx, r, nil, http.StatusNoContent)
}

func (d *Door) setObjectTags(ctx context.Context, r *request, tags []tag, status int) error {
	o, info, err := d.find(ctx, r)
	if err != nil {
		return err
	}
	info.Tags = tags
	packed, err := json.Marshal(info)
	if err != nil {
		return err
	}
	if err := d.Index.SetObjectInfo(ctx, o.Bucket, o.Key, o.Seq, packed); err != nil {
		return err
	}
	setVersion(r.w.Header(), o)
	r.status(status)
	return nil
}

func (d *Door) objectACL(ctx context.Context, r *request) error {
	if _, _, err := d.find(ctx, r); err != nil {
		return err
	}
	return r.acl(d.owner())
}

func (d *Door) putObjectACL(ctx context.Context, r *request) error {
	if _, _, err := d.find(ctx, r); err != nil {
		return err
	}
	return r.acceptACL()
}
