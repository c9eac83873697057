package s3door

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// find returns the object that the request addresses.
func (d *Door) find(ctx context.Context, r *request) (flow.Object, objectInfo, error) {
	var info objectInfo
	version, err := r.version()
	if err != nil {
		return flow.Object{}, info, err
	}
	o, err := d.Index.Object(ctx, r.bucket, r.key, version)
	if err != nil {
		return o, info, err
	}
	if o.Marker {
		h := r.w.Header()
		h.Set("x-amz-delete-marker", "true")
		h.Set("x-amz-version-id", o.Version)
		if version == "" {
			return o, info, newError("NoSuchKey", "The specified key does not exist.").about("Key", r.key)
		}
		h.Set("Allow", "DELETE")
		h.Set("Last-Modified", o.Modified.Format(http.TimeFormat))
		return o, info, newError("MethodNotAllowed", "The specified method is not allowed against this resource.").about("Method", r.Method).about("ResourceType", "DeleteMarker")
	}
	return o, info, unpack(o.Info, &info)
}

// overrides are the parameters that replace a header of the answer.
var overrides = [...]string{"content-type", "content-language", "expires", "cache-control", "content-disposition", "content-encoding"}

// getObject answers GET and HEAD.
func (d *Door) getObject(ctx context.Context, r *request) error {
	for range lookups {
		o, info, err := d.find(ctx, r)
		if err != nil {
			return err
		}
		err = d.send(r, o, &info)
		if !errors.Is(err, fs.ErrNotExist) || r.answered {
			return err
		}
	}
	return fmt.Errorf("content of %s/%s: %w", r.bucket, r.key, fs.ErrNotExist)
}

func (d *Door) send(r *request, o flow.Object, info *objectInfo) error {
	h := r.w.Header()
	h.Set("ETag", `"`+o.ETag+`"`)
	h.Set("Last-Modified", o.Modified.Format(http.TimeFormat))
	setVersion(h, o)
	c := conditions{r.Header.Get("If-Match"), r.Header.Get("If-None-Match"), r.Header.Get("If-Modified-Since"), r.Header.Get("If-Unmodified-Since")}
	switch c.check(o) {
	case http.StatusPreconditionFailed:
		return newError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	case http.StatusNotModified:
		return newError("NotModified", "Not Modified")
	}
	status, span, err := r.span(o)
	if err != nil {
		return err
	}
	var files *reader
	if r.Method == http.MethodGet {
		if files, err = d.open(o, span); err != nil {
			return err
		}
		defer files.close()
	}
	info.set(h)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Length", strconv.FormatInt(span.size, 10))
	if status == http.StatusPartialContent {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", span.from, span.from+span.size-1, o.Size))
	} else if strings.EqualFold(r.Header.Get("x-amz-checksum-mode"), "ENABLED") {
		info.Checksum.set(h)
	}
	for _, name := range overrides {
		if v := r.query.Get("response-" + name); v != "" && len(v) <= maxHeader && !strings.ContainsAny(v, "\r\n") {
			h.Set(name, v)
		}
	}
	r.status(status)
	if files == nil {
		return nil
	}
	if err := files.copyTo(r.w); err != nil {
		// A client that went away is no error of ours, and cutting the
		// connection is the answer to both.
		d.Log.Debug("content not sent whole", "bucket", o.Bucket, "key", o.Key, "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// conditions are those of a reading: ETags and times, as headers give them.
type conditions struct{ match, noneMatch, modifiedSince, unmodifiedSince string }

// check returns 200, 304 or 412. An ETag that decides hides the time beside
// it, as RFC 9110 says and S3 documents.
func (c conditions) check(o flow.Object) int {
	if c.match != "" {
		if !anyETag(c.match, o.ETag) {
			return http.StatusPreconditionFailed
		}
	} else if t, err := http.ParseTime(c.unmodifiedSince); err == nil && o.Modified.Truncate(time.Second).After(t) {
		return http.StatusPreconditionFailed
	}
	if c.noneMatch != "" {
		if anyETag(c.noneMatch, o.ETag) {
			return http.StatusNotModified
		}
	} else if t, err := http.ParseTime(c.modifiedSince); err == nil && !o.Modified.Truncate(time.Second).After(t) {
		return http.StatusNotModified
	}
	return http.StatusOK
}

func anyETag(list, etag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one = unquote(one); one == "*" || one == etag {
			return true
		}
	}
	return false
}

// A span is a stretch of an object's content.
type span struct{ from, size int64 }

// span reads which stretch of o the request wants.
func (r *request) span(o flow.Object) (status int, s span, err error) {
	if n := r.query.Get("partNumber"); n != "" {
		return r.partSpan(o, n)
	}
	whole := span{0, o.Size}
	h := r.Header.Get("Range")
	if h == "" {
		return http.StatusOK, whole, nil
	}
	if cond := r.Header.Get("If-Range"); cond != "" {
		t, err := http.ParseTime(cond)
		if err == nil && !t.Equal(o.Modified) || err != nil && unquote(cond) != o.ETag {
			return http.StatusOK, whole, nil
		}
	}
	s, ok, err := parseRange(h, o.Size)
	if err != nil {
		return 0, s, newError("InvalidRange", "The requested range is not satisfiable").
			about("RangeRequested", h[:min(len(h), 256)]).about("ActualObjectSize", strconv.FormatInt(o.Size, 10))
	}
	if !ok {
		return http.StatusOK, whole, nil
	}
	return http.StatusPartialContent, s, nil
}

var errRange = errors.New("the range lies outside")

// parseRange reads a Range header. What S3 does not serve, such as several
// ranges, is not ok: the whole object is the answer.
func parseRange(h string, size int64) (s span, ok bool, err error) {
	spec, isBytes := strings.CutPrefix(strings.TrimSpace(h), "bytes=")
	first, last, dash := strings.Cut(textproto.TrimString(spec), "-")
	if !isBytes || !dash || strings.Contains(last, ",") {
		return s, false, nil
	}
	if first == "" {
		n, err := parsePosition(last)
		if err != nil {
			return s, false, nil
		}
		if n == 0 || size == 0 {
			return s, false, errRange
		}
		n = min(n, size)
		return span{size - n, n}, true, nil
	}
	from, err := parsePosition(first)
	if err != nil {
		return s, false, nil
	}
	to := size - 1
	if last != "" {
		n, err := parsePosition(last)
		if err != nil || n < from {
			return s, false, nil
		}
		to = min(to, n)
	}
	if from >= size {
		return s, false, errRange
	}
	return span{from, to - from + 1}, true, nil
}

func parsePosition(s string) (int64, error) {
	if s == "" || s[0] == '+' || s[0] == '-' {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(s, 10, 64)
}

// partSpan is the stretch that came as one part of an upload.
func (r *request) partSpan(o flow.Object, number string) (int, span, error) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > maxParts {
		return 0, span{}, invalid("partNumber", number, "Part number must be an integer between 1 and 10000, inclusive")
	}
	if r.Header.Get("Range") != "" {
		return 0, span{}, newError("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
	}
	if strings.Contains(o.ETag, "-") {
		r.w.Header().Set("x-amz-mp-parts-count", strconv.Itoa(len(o.Pieces)))
	}
	if n == 1 && len(o.Pieces) <= 1 {
		if o.Size == 0 {
			return http.StatusOK, span{}, nil
		}
		return http.StatusPartialContent, span{0, o.Size}, nil
	}
	if n > len(o.Pieces) {
		return 0, span{}, newError("InvalidPartNumber", "The requested partnumber is not satisfiable").
			about("ActualPartCount", strconv.Itoa(len(o.Pieces))).about("PartNumberRequested", number)
	}
	var from int64
	for _, p := range o.Pieces[:n-1] {
		from += p.Size
	}
	return http.StatusPartialContent, span{from, o.Pieces[n-1].Size}, nil
}

// A reader yields a stretch of an object from its files.
type reader struct {
	contents Contents
	parts    []stretch
	held     int64 // read of the first part
}

// A stretch is what is wanted of one file.
type stretch struct {
	id         string
	from, size int64
	file       *os.File // nil until opened
}

// keepOpen is how many files of one object are opened before the answer
// begins. An object that is deleted while it is read stays whole up to this
// many parts; after that the connection is cut.
const keepOpen = 64

// open readies a stretch of o; fs.ErrNotExist if its contents are gone.
func (d *Door) open(o flow.Object, s span) (*reader, error) {
	r := &reader{contents: d.Contents}
	for _, p := range o.Pieces {
		if s.size == 0 {
			break
		}
		if s.from >= p.Size {
			s.from -= p.Size
			continue
		}
		n := min(p.Size-s.from, s.size)
		r.parts = append(r.parts, stretch{id: p.ID, from: s.from, size: n})
		s.from, s.size = 0, s.size-n
	}
	for i := range r.parts[:min(len(r.parts), keepOpen)] {
		if err := r.parts[i].open(d.Contents); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

func (s *stretch) open(c Contents) error {
	f, err := c.Open(s.id)
	if err != nil {
		return err
	}
	if _, err := f.Seek(s.from, io.SeekStart); err != nil {
		f.Close()
		return err
	}
	s.file = f
	return nil
}

// copyTo sends all. Each file goes to w by itself, so that the kernel can
// move it.
func (r *reader) copyTo(w io.Writer) error {
	for len(r.parts) > 0 {
		p := &r.parts[0]
		if p.file == nil {
			if err := p.open(r.contents); err != nil {
				return err
			}
		}
		if _, err := io.CopyN(w, p.file, p.size); err != nil {
			return err
		}
		p.file.Close()
		r.parts = r.parts[1:]
	}
	return nil
}

// Read implements [io.Reader].
func (r *reader) Read(b []byte) (int, error) {
	for len(r.parts) > 0 {
		p := &r.parts[0]
		if p.file == nil {
			if err := p.open(r.contents); err != nil {
				return 0, err
			}
		}
		if r.held < p.size {
			n, err := p.file.Read(b[:min(int64(len(b)), p.size-r.held)])
			r.held += int64(n)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF // the file is shorter than its row says
			}
			return n, err
		}
		p.file.Close()
		r.parts, r.held = r.parts[1:], 0
	}
	return 0, io.EOF
}

// Close implements [io.Closer].
func (r *reader) Close() error {
	r.close()
	return nil
}

func (r *reader) close() {
	for _, p := range r.parts {
		if p.file != nil {
			p.file.Close()
		}
	}
	r.parts = nil
}

// Open returns an object as a stream, its size and its version, for the
// server itself. It does what blob.Source asks.
func (d *Door) Open(ctx context.Context, bucket, key, version string) (io.ReadCloser, int64, string, error) {
	for range lookups {
		o, err := d.Index.Object(ctx, bucket, key, version)
		if err != nil {
			return nil, 0, "", err
		}
		if o.Marker {
			return nil, 0, "", flow.Errorf(flow.NotFound, "object %q of bucket %q was deleted", key, bucket).About("object", key)
		}
		r, err := d.open(o, span{0, o.Size})
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was replaced while we looked
		}
		if err != nil {
			return nil, 0, "", err
		}
		if o.Version == flow.NullVersion {
			o.Version = ""
		}
		return r, o.Size, o.Version, nil
	}
	return nil, 0, "", fmt.Errorf("content of %s/%s: %w", bucket, key, fs.ErrNotExist)
}

// Fetch returns a whole object of at most max bytes, and its version, for the
// server itself. It does what blob.Source asks.
func (d *Door) Fetch(ctx context.Context, bucket, key, version string, max int64) ([]byte, string, error) {
	body, size, read, err := d.Open(ctx, bucket, key, version)
	if err != nil {
		return nil, "", err
	}
	defer body.Close()
	if size > max {
		return nil, "", flow.Errorf(flow.Invalid, "object %q of bucket %q has %d bytes; at most %d are allowed", key, bucket, size, max)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(body, data); err != nil {
		return nil, "", fmt.Errorf("read %s/%s: %w", bucket, key, err)
	}
	return data, read, nil
}
