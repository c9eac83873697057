// Package s3door serves a small Amazon S3: buckets, versioned objects,
// multipart uploads and lists, path style or by host name. It knows S3's
// wire and rules. It keeps rows in an [Index] and bytes in [Contents], and
// does not know how either does it.
//
// Bytes are on disk before the row that names them, and files are removed
// after it: a crash can leave files that no row names, never the reverse.
package s3door

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"fairlead/internal/aws/sigv4"
	"fairlead/internal/flow"
)

// An Index remembers the rows.
type Index interface {
	Buckets
	Objects
	Uploads
}

// Buckets are what the door wants remembered of buckets. Each error of kind
// NotFound says in its Type what does not exist: "bucket", "object",
// "version" or "upload".
type Buckets interface {
	CreateBucket(ctx context.Context, b flow.Bucket) error
	Bucket(ctx context.Context, name string) (flow.Bucket, error)
	Buckets(ctx context.Context) ([]flow.Bucket, error)
	SetVersioning(ctx context.Context, bucket string, v flow.Versioning) error
	SetBucketInfo(ctx context.Context, bucket string, info json.RawMessage) error
	DeleteBucket(ctx context.Context, name string) (freed []string, err error)
}

// Objects are what the door wants remembered of objects. Methods that let
// contents go return them as freed, to be removed afterwards.
type Objects interface {
	PutObject(ctx context.Context, o flow.Object, g flow.Guard) (kept flow.Object, freed []string, err error)
	Object(ctx context.Context, bucket, key, version string) (flow.Object, error)
	Objects(ctx context.Context, r flow.ObjectRange) ([]flow.Object, error)
	DeleteObject(ctx context.Context, bucket, key, version, fresh string, now time.Time, g flow.Guard) (o flow.Object, freed []string, err error)
	SetObjectInfo(ctx context.Context, bucket, key string, seq int64, info json.RawMessage) error
}

// Uploads are what the door wants remembered of uploads in parts.
type Uploads interface {
	CreateUpload(ctx context.Context, u flow.Upload) error
	Upload(ctx context.Context, bucket, key, id string) (flow.Upload, error)
	Uploads(ctx context.Context, r flow.UploadRange) ([]flow.Upload, error)
	PutPart(ctx context.Context, bucket, key string, p flow.Part) (freed []string, err error)
	Parts(ctx context.Context, upload string, after, limit int) ([]flow.Part, error)
	FinishUpload(ctx context.Context, id string, o flow.Object, g flow.Guard) (kept flow.Object, freed []string, err error)
	AbortUpload(ctx context.Context, bucket, key, id string) (freed []string, err error)
}

// Contents keep bytes under ids that they make up.
type Contents interface {
	// Write keeps what r yields; an error of r comes back as it is.
	Write(ctx context.Context, r io.Reader) (id string, size int64, err error)
	// Link and Open fail with fs.ErrNotExist when id is not kept.
	Link(id string) (string, error)
	Open(id string) (*os.File, error)
	Remove(id string) error
}

// Config says what a Door works with.
type Config struct {
	Index    Index
	Contents Contents
	// Region is that of buckets made without one.
	Region string
	// Account is shown as the owner of everything.
	Account string
	// Domains are host names below which the first label is a bucket; nil
	// means s3.localhost and localhost.
	Domains []string
	// Verifier checks signatures; nil admits every request.
	Verifier *sigv4.Verifier
	// Permit says whether the caller in ctx may do an action of IAM to a
	// resource: an error of kind flow.Denied if not. Nil permits everything.
	Permit func(ctx context.Context, action, resource string) error
	// Log is told of internal errors; nil means slog.Default.
	Log *slog.Logger
}

// A Door answers S3 requests.
type Door struct {
	Config
	ops map[string]operation
}

// An operation answers one kind of request.
type operation func(ctx context.Context, r *request) error

// New returns a door.
func New(c Config) *Door {
	if c.Domains == nil {
		c.Domains = []string{"s3.localhost", "localhost"}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	d := &Door{Config: c}
	d.ops = d.operations()
	return d
}

// operations are keyed by method, what is addressed, and the query parameter
// that picks a part of it.
func (d *Door) operations() map[string]operation {
	return map[string]operation{
		"GET service": d.listBuckets,

		"PUT bucket":              d.createBucket,
		"HEAD bucket":             d.headBucket,
		"DELETE bucket":           d.deleteBucket,
		"GET bucket location":     d.bucketLocation,
		"GET bucket versioning":   d.bucketVersioning,
		"PUT bucket versioning":   d.putBucketVersioning,
		"GET bucket tagging":      d.bucketTagging,
		"PUT bucket tagging":      d.putBucketTagging,
		"DELETE bucket tagging":   d.deleteBucketTagging,
		"GET bucket acl":          d.bucketACL,
		"PUT bucket acl":          d.putBucketACL,
		"GET bucket":              d.listObjects,
		"GET bucket versions":     d.listVersions,
		"GET bucket uploads":      d.listUploads,
		"POST bucket delete":      d.deleteObjects,
		"GET bucket logging":      d.nothingSet("BucketLoggingStatus"),
		"GET bucket notification": d.nothingSet("NotificationConfiguration"),
		"GET bucket accelerate":   d.nothingSet("AccelerateConfiguration"),
		"PUT object":              d.putObject,
		"GET object":              d.getObject,
		"HEAD object":             d.getObject,
		"DELETE object":           d.deleteObject,
		"GET object tagging":      d.objectTagging,
		"PUT object tagging":      d.putObjectTagging,
		"DELETE object tagging":   d.deleteObjectTagging,
		"GET object acl":          d.objectACL,
		"PUT object acl":          d.putObjectACL,
		"GET object attributes":   d.objectAttributes,
		"POST object uploads":     d.createUpload,
		"PUT object uploadId":     d.putPart,
		"GET object uploadId":     d.listParts,
		"POST object uploadId":    d.completeUpload,
		"DELETE object uploadId":  d.abortUpload,
		"GET bucket policy":       notSet("NoSuchBucketPolicy", "The bucket policy does not exist"),
		"GET bucket cors":         notSet("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
		"GET bucket lifecycle":    notSet("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
		"GET bucket website":      notSet("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
		"GET bucket encryption":   notSet("ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found"),
		"GET bucket replication":  notSet("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
		"GET bucket object-lock":  notSet("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket"),
		"GET object retention":    notSet("NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration"),
		"GET object legal-hold":   notSet("NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration"),
		"GET bucket policyStatus": notSet("NoSuchBucketPolicy", "The bucket policy does not exist"),
		"GET bucket requestPayment": func(_ context.Context, r *request) error {
			return r.xml(http.StatusOK, struct {
				XMLName xmlName `xml:"RequestPaymentConfiguration"`
				Payer   string
			}{Payer: "BucketOwner"})
		},
		"GET bucket publicAccessBlock": notSet("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
		"GET bucket ownershipControls": notSet("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
	}
}

// subresources are the query parameters that pick a part of a bucket or
// object, known to S3 whether or not this door serves them.
var subresources = [...]string{
	"accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering", "inventory",
	"legal-hold", "lifecycle", "location", "logging", "metadataTable", "metrics", "notification", "object-lock",
	"ownershipControls", "policy", "policyStatus", "publicAccessBlock", "renameObject", "replication", "requestPayment",
	"restore", "retention", "select", "session", "tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website",
}

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r := &request{Request: hr, w: w, id: rand.Text()[:16]}
	h := w.Header()
	h.Set("x-amz-request-id", r.id)
	h.Set("x-amz-id-2", r.id)
	h.Set("Server", "Fairlead")
	if err := d.answer(r); err != nil {
		d.fail(r, err)
	}
}

// answer carries out the operation; a panic becomes an error.
func (d *Door) answer(r *request) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	ctx, err := d.admit(r)
	if err != nil {
		return err
	}
	name, err := d.read(r)
	if err != nil {
		return err
	}
	if op, ok := d.ops[name]; ok {
		if err := d.permitAll(ctx, name, r); err != nil {
			return err
		}
		return op(ctx, r)
	}
	method, what, _ := strings.Cut(name, " ")
	if strings.Contains(what, " ") {
		return newError("NotImplemented", "A header or query you provided implies functionality that is not implemented: "+name)
	}
	return newError("MethodNotAllowed", "The specified method is not allowed against this resource: "+method+" on a "+what)
}

// admit checks the signature, and opens the body that the client meant: not
// the chunks that it may travel in.
func (d *Door) admit(r *request) (context.Context, error) {
	ctx := r.Context()
	var content *sigv4.Body
	var err error
	if d.Verifier == nil {
		content, err = (&sigv4.Verifier{Flavor: sigv4.S3}).OpenBody(r.Request)
	} else {
		var id sigv4.Identity
		id, content, err = d.Verifier.VerifyStream(r.Request)
		ctx = sigv4.WithIdentity(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	r.body = &body{Reader: content, size: r.ContentLength, trailer: content.Trailers}
	if n := r.Header.Get("x-amz-decoded-content-length"); n != "" && strings.HasPrefix(r.Header.Get("x-amz-content-sha256"), "STREAMING-") {
		if r.body.size, err = strconv.ParseInt(n, 10, 64); err != nil {
			return nil, invalid("x-amz-decoded-content-length", n, "expected a number of bytes")
		}
	}
	return ctx, nil
}

// A body is the content of a request.
type body struct {
	io.Reader
	size int64 // -1 when unknown
	// trailer returns, after the end of the content, the headers that
	// followed it, by lower-case name; it may be nil.
	trailer func() map[string]string
}

// A request is one request and the way to its answer.
type request struct {
	*http.Request
	w           http.ResponseWriter
	id          string
	bucket, key string
	query       url.Values
	body        *body
	answered    bool // the header has been sent
}

// read takes the request's address apart and names the operation.
func (d *Door) read(r *request) (string, error) {
	var err error
	if r.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return "", newError("InvalidURI", "Couldn't parse the specified URI: "+err.Error())
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if r.bucket = d.bucketOfHost(r.Host); r.bucket != "" {
		r.key = path
	} else {
		r.bucket, r.key, _ = strings.Cut(path, "/")
	}
	what := "object"
	switch {
	case r.bucket == "" && r.key == "":
		what = "service"
	case r.key == "":
		what = "bucket"
	}
	if what != "service" {
		if why := badBucketName(r.bucket); why != "" {
			return "", newError("InvalidBucketName", "The specified bucket is not valid: "+why).about("BucketName", r.bucket)
		}
	}
	if err := checkKey(r.key); err != nil {
		return "", err
	}
	for _, sub := range subresources {
		if r.query.Has(sub) {
			return r.Method + " " + what + " " + sub, nil
		}
	}
	return r.Method + " " + what, nil
}

func checkKey(key string) error {
	if len(key) > maxKey {
		return newError("KeyTooLongError", "Your key is too long").about("MaxSizeAllowed", fmt.Sprint(maxKey)).about("Size", fmt.Sprint(len(key)))
	}
	if !utf8.ValidString(key) {
		return newError("InvalidURI", "Couldn't parse the specified URI: the key is not UTF-8")
	}
	return nil
}

// maxKey is how many bytes a key may have.
const maxKey = 1024

// bucketOfHost returns the bucket that a host name begins with, or "".
func (d *Door) bucketOfHost(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(host)
	for _, domain := range d.Domains {
		if host == domain {
			return ""
		}
		if bucket, ok := strings.CutSuffix(host, "."+domain); ok {
			return bucket
		}
	}
	return ""
}

// xml answers with a document.
func (r *request) xml(status int, v any) error {
	data, err := marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	h := r.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", fmt.Sprint(len(data)))
	r.status(status)
	if r.Method != http.MethodHead {
		// A client that has gone is not our concern.
		_, _ = r.w.Write(data)
	}
	return nil
}

// status answers with a status alone.
func (r *request) status(code int) {
	r.answered = true
	r.w.WriteHeader(code)
}

// nothingSet answers a question about settings that this door does not have.
func (d *Door) nothingSet(element string) operation {
	return func(ctx context.Context, r *request) error {
		if _, err := d.Index.Bucket(ctx, r.bucket); err != nil {
			return err
		}
		return r.xml(http.StatusOK, empty{element})
	}
}

func notSet(code, message string) operation {
	return func(context.Context, *request) error { return newError(code, message) }
}

// free removes contents that no row names any more. What cannot be removed
// stays until the next sweep.
func (d *Door) free(ids []string) {
	for _, id := range ids {
		if err := d.Contents.Remove(id); err != nil {
			d.Log.Warn("a content that nothing needs is left", "content", id, "err", err)
		}
	}
}

// unless frees the pieces that were made for a row, when err says for certain
// that the row was not written. The fate of a row after other errors is
// unknown, so the sweep has to decide.
func (d *Door) unless(err error, pieces []flow.Piece) {
	if flow.KindOf(err) == flow.Internal {
		return
	}
	for _, p := range pieces {
		d.free([]string{p.ID})
	}
}
