package s3door

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// maxParts is how many parts an upload may have, minPart how many bytes each
// but the last must have.
const (
	maxParts = 10000
	minPart  = 5 << 20
)

// sums are the elements that a checksum takes in documents.
type sums struct {
	CRC32     string `xml:"ChecksumCRC32,omitempty"`
	CRC32C    string `xml:"ChecksumCRC32C,omitempty"`
	CRC64NVME string `xml:"ChecksumCRC64NVME,omitempty"`
	SHA1      string `xml:"ChecksumSHA1,omitempty"`
	SHA256    string `xml:"ChecksumSHA256,omitempty"`
	Type      string `xml:"ChecksumType,omitempty"`
}

// at returns the place of an algorithm's value.
func (s *sums) at(a algorithm) *string {
	switch a {
	case crc32ieee:
		return &s.CRC32
	case crc32c:
		return &s.CRC32C
	case crc64nvme:
		return &s.CRC64NVME
	case sha1sum:
		return &s.SHA1
	}
	return &s.SHA256
}

func sumsOf(c *checksum) (s sums) {
	if c != nil && c.Algorithm != noChecksum {
		*s.at(c.Algorithm) = c.Value
		s.Type = c.Type
	}
	return s
}

// partSums is the checksum of one part, whose type is understood.
func partSums(a algorithm, value string) (s sums) {
	if a != noChecksum && value != "" {
		*s.at(a) = value
	}
	return s
}

func (d *Door) createUpload(ctx context.Context, r *request) error {
	info, err := r.info()
	if err != nil {
		return err
	}
	algo, err := parseAlgorithm("x-amz-checksum-algorithm", r.Header.Get("x-amz-checksum-algorithm"))
	if err != nil {
		return err
	}
	typ := strings.ToUpper(r.Header.Get("x-amz-checksum-type"))
	if algo != noChecksum {
		switch {
		case typ == "" && algo == crc64nvme:
			typ = "FULL_OBJECT"
		case typ == "":
			typ = "COMPOSITE"
		case typ != "FULL_OBJECT" && typ != "COMPOSITE":
			return invalid("x-amz-checksum-type", typ, "expected FULL_OBJECT or COMPOSITE")
		case typ == "COMPOSITE" && algo == crc64nvme, typ == "FULL_OBJECT" && (algo == sha1sum || algo == sha256sum):
			return newError("InvalidRequest", "The "+typ+" checksum type cannot be used with the "+strings.ToLower(string(algo))+" checksum algorithm.")
		}
		info.Checksum = &checksum{Algorithm: algo, Type: typ}
	}
	packed, err := json.Marshal(info)
	if err != nil {
		return err
	}
	u := flow.Upload{Bucket: r.bucket, Key: r.key, ID: newVersion(), Info: packed, Created: time.Now().UTC()}
	if err := d.Index.CreateUpload(ctx, u); err != nil {
		return err
	}
	if algo != noChecksum {
		r.w.Header().Set("x-amz-checksum-algorithm", string(algo))
		r.w.Header().Set("x-amz-checksum-type", typ)
	}
	info.setEncryption(r.w.Header())
	return r.xml(http.StatusOK, struct {
		XMLName  xmlName `xml:"InitiateMultipartUploadResult"`
		Bucket   string
		Key      string
		UploadID string `xml:"UploadId"`
	}{Bucket: r.bucket, Key: r.key, UploadID: u.ID})
}

// upload returns the upload that the request names.
func (d *Door) upload(ctx context.Context, r *request) (flow.Upload, objectInfo, error) {
	var info objectInfo
	id := r.query.Get("uploadId")
	if len(id) > 128 || strings.Contains(id, "\x00") {
		return flow.Upload{}, info, newError("NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	}
	u, err := d.Index.Upload(ctx, r.bucket, r.key, id)
	if flow.KindOf(err) == flow.NotFound {
		if _, err := d.Index.Bucket(ctx, r.bucket); err != nil {
			return u, info, err
		}
	}
	if err != nil {
		return u, info, err
	}
	return u, info, unpack(u.Info, &info)
}

func (d *Door) putPart(ctx context.Context, r *request) error {
	number := r.query.Get("partNumber")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > maxParts {
		return invalid("partNumber", number, "Part number must be an integer between 1 and 10000, inclusive")
	}
	u, info, err := d.upload(ctx, r)
	if err != nil {
		return err
	}
	algo := noChecksum
	if info.Checksum != nil {
		algo = info.Checksum.Algorithm
	}
	copied := r.Header.Get("x-amz-copy-source") != ""
	source := ""
	if copied {
		var files *reader
		if files, source, err = d.partSource(ctx, r); err != nil {
			return err
		}
		defer files.close()
		r.body = &body{Reader: files, size: -1}
	}
	dig, err := r.digest(algo)
	if err != nil {
		return err
	}
	if dig.body.size > maxPut {
		return tooLarge()
	}
	id, size, err := d.Contents.Write(ctx, dig)
	if err != nil {
		return err
	}
	p := flow.Part{Upload: u.ID, N: n, ETag: dig.etag(), Piece: flow.Piece{ID: id, Size: size}, Modified: now()}
	if algo != noChecksum {
		p.Piece.Check = dig.value()
	}
	freed, err := d.Index.PutPart(ctx, r.bucket, r.key, p)
	if err != nil {
		d.unless(err, []flow.Piece{p.Piece})
		return err
	}
	d.free(freed)
	info.setEncryption(r.w.Header())
	if copied {
		if source != flow.NullVersion {
			r.w.Header().Set("x-amz-copy-source-version-id", source)
		}
		out := copyResult{XMLName: xmlName{Local: "CopyPartResult"}, ETag: `"` + p.ETag + `"`, LastModified: stamp(p.Modified)}
		out.sums = partSums(algo, p.Piece.Check)
		return r.xml(http.StatusOK, out)
	}
	r.w.Header().Set("ETag", `"`+p.ETag+`"`)
	if c := dig.found(); c != nil {
		r.w.Header().Set(c.Algorithm.header(), c.Value)
	}
	r.status(http.StatusOK)
	return nil
}

// partSource opens what a part is copied from, and returns its version.
func (d *Door) partSource(ctx context.Context, r *request) (*reader, string, error) {
	var err error
	for range lookups {
		var o flow.Object
		if o, _, err = d.source(ctx, r); err != nil {
			return nil, "", err
		}
		s := span{0, o.Size}
		if h := r.Header.Get("x-amz-copy-source-range"); h != "" {
			var ok bool
			s, ok, err = parseRange(h, o.Size)
			first, last, _ := strings.Cut(h, "-")
			to, numErr := strconv.ParseInt(last, 10, 64)
			if err != nil || !ok || first == "bytes=" || numErr != nil || to >= o.Size {
				return nil, "", invalid("x-amz-copy-source-range", h, "Range specified is not valid for source object of size: "+strconv.FormatInt(o.Size, 10))
			}
		}
		if s.size > maxPut {
			return nil, "", newError("InvalidRequest", "The specified copy source is larger than the maximum allowable size for a copy source: "+strconv.FormatInt(maxPut, 10))
		}
		var files *reader
		if files, err = d.open(o, s); err == nil {
			return files, o.Version, nil
		}
	}
	return nil, "", err
}

// A completion is the list of parts that makes the object.
type completion struct {
	Parts []struct {
		PartNumber int
		ETag       string
		sums
	} `xml:"Part"`
}

func (d *Door) completeUpload(ctx context.Context, r *request) error {
	var in completion
	if err := r.completion(&in); err != nil {
		return err
	}
	g, err := r.guard()
	if err != nil {
		return err
	}
	u, info, err := d.upload(ctx, r)
	if flow.KindOf(err) == flow.NotFound {
		// A client that lost our answer asks again.
		o, found := d.Index.Object(ctx, r.bucket, r.key, "")
		var done objectInfo
		if found == nil && !o.Marker && unpack(o.Info, &done) == nil && done.Upload != "" && done.Upload == r.query.Get("uploadId") {
			return r.completed(o, done)
		}
	}
	if err != nil {
		return err
	}
	have, err := d.Index.Parts(ctx, u.ID, 0, maxParts)
	if err != nil {
		return err
	}
	used, err := pick(in, have, info.Checksum)
	if err != nil {
		return err
	}
	o := flow.Object{Bucket: r.bucket, Key: r.key, Version: newVersion(), ETag: joinETags(used), Modified: now()}
	for _, p := range used {
		o.Size += p.Piece.Size
		o.Pieces = append(o.Pieces, p.Piece)
	}
	if s := r.Header.Get("x-amz-mp-object-size"); s != "" && s != strconv.FormatInt(o.Size, 10) {
		return newError("InvalidRequest", "The provided 'x-amz-mp-object-size' header value "+s+" does not match what was computed: "+strconv.FormatInt(o.Size, 10))
	}
	if c := info.Checksum; c != nil {
		info.Checksum = joinChecksums(c.Algorithm, c.Type, o.Pieces)
		claim := r.Header.Get(c.Algorithm.header())
		if claim != "" && info.Checksum != nil && claim != info.Checksum.Value && claim+"-"+strconv.Itoa(len(used)) != info.Checksum.Value {
			return newError("BadDigest", "The "+string(c.Algorithm)+" you specified did not match the calculated checksum.")
		}
	}
	info.Upload = u.ID
	if o.Info, err = json.Marshal(info); err != nil {
		return err
	}
	o, freed, err := d.Index.FinishUpload(ctx, u.ID, o, g)
	if err != nil {
		return err
	}
	d.free(freed)
	return r.completed(o, info)
}

// completion reads the list of parts. The checksums in this request's header
// are those of the object, not of the list.
func (r *request) completion(in *completion) error {
	plain := r.Header.Clone()
	for _, a := range algorithms {
		plain.Del(a.header())
	}
	plain.Del("x-amz-sdk-checksum-algorithm")
	whole := r.Header
	r.Header = plain
	defer func() { r.Header = whole }()
	if err := r.document(in); err != nil {
		return err
	}
	if len(in.Parts) == 0 || len(in.Parts) > maxParts {
		return newError("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema: there must be 1 to 10000 parts")
	}
	return nil
}

// pick returns the parts that a completion lists.
func pick(in completion, have []flow.Part, c *checksum) ([]flow.Part, error) {
	byNumber := map[int]flow.Part{}
	for _, p := range have {
		byNumber[p.N] = p
	}
	for i := 1; i < len(in.Parts); i++ {
		if in.Parts[i].PartNumber <= in.Parts[i-1].PartNumber {
			return nil, newError("InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
		}
	}
	var used []flow.Part
	for i, want := range in.Parts {
		p, ok := byNumber[want.PartNumber]
		bad := !ok || unquote(want.ETag) != p.ETag
		if !bad && c != nil && p.Piece.Check != "" {
			if sum := *want.at(c.Algorithm); sum != "" && sum != p.Piece.Check {
				bad = true
			}
		}
		if bad {
			return nil, newError("InvalidPart", "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.").
				about("PartNumber", strconv.Itoa(want.PartNumber)).about("ETag", want.ETag[:min(len(want.ETag), 128)])
		}
		if i < len(in.Parts)-1 && p.Piece.Size < minPart {
			return nil, newError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size").
				about("PartNumber", strconv.Itoa(p.N)).about("ETag", p.ETag).
				about("ProposedSize", strconv.FormatInt(p.Piece.Size, 10)).about("MinSizeAllowed", strconv.Itoa(minPart))
		}
		used = append(used, p)
	}
	return used, nil
}

func (r *request) completed(o flow.Object, info objectInfo) error {
	setVersion(r.w.Header(), o)
	info.setEncryption(r.w.Header())
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return r.xml(http.StatusOK, struct {
		XMLName  xmlName `xml:"CompleteMultipartUploadResult"`
		Location string
		Bucket   string
		Key      string
		ETag     string
		sums
	}{
		Location: scheme + "://" + r.Host + strings.ReplaceAll(r.URL.EscapedPath(), "+", "%2B"),
		Bucket:   o.Bucket, Key: o.Key, ETag: `"` + o.ETag + `"`, sums: sumsOf(info.Checksum),
	})
}

func (d *Door) abortUpload(ctx context.Context, r *request) error {
	u, _, err := d.upload(ctx, r)
	if err != nil {
		return err
	}
	freed, err := d.Index.AbortUpload(ctx, r.bucket, r.key, u.ID)
	if err != nil {
		return err
	}
	d.free(freed)
	r.status(http.StatusNoContent)
	return nil
}

type partItem struct {
	PartNumber   int
	LastModified string `xml:",omitempty"`
	ETag         string `xml:",omitempty"`
	Size         int64
	sums
}

func (d *Door) listParts(ctx context.Context, r *request) error {
	q, err := r.listQuery("max-parts")
	if err != nil {
		return err
	}
	after, err := r.limit("part-number-marker", 0, math.MaxInt32)
	if err != nil {
		return err
	}
	u, info, err := d.upload(ctx, r)
	if err != nil {
		return err
	}
	have, err := d.Index.Parts(ctx, u.ID, after, q.limit+1)
	if err != nil {
		return err
	}
	var out struct {
		XMLName              xmlName `xml:"ListPartsResult"`
		Bucket               string
		Key                  string
		UploadID             string `xml:"UploadId"`
		Initiator            owner
		Owner                owner
		StorageClass         string
		PartNumberMarker     int
		NextPartNumberMarker int `xml:",omitempty"`
		MaxParts             int
		EncodingType         string `xml:",omitempty"`
		IsTruncated          bool
		ChecksumAlgorithm    string     `xml:",omitempty"`
		ChecksumType         string     `xml:",omitempty"`
		Parts                []partItem `xml:"Part"`
	}
	out.Bucket, out.Key, out.UploadID = r.bucket, q.encode(r.key), u.ID
	out.Initiator, out.Owner, out.StorageClass = d.owner(), d.owner(), "STANDARD"
	out.PartNumberMarker, out.MaxParts, out.EncodingType = after, q.limit, q.encoding
	algo := noChecksum
	if c := info.Checksum; c != nil {
		algo = c.Algorithm
		out.ChecksumAlgorithm, out.ChecksumType = string(c.Algorithm), c.Type
	}
	if out.IsTruncated = len(have) > q.limit && q.limit > 0; len(have) > q.limit {
		have = have[:q.limit]
	}
	for _, p := range have {
		out.Parts = append(out.Parts, partItem{p.N, stamp(p.Modified), `"` + p.ETag + `"`, p.Piece.Size, partSums(algo, p.Piece.Check)})
		out.NextPartNumberMarker = p.N
	}
	return r.xml(http.StatusOK, out)
}

func (d *Door) listUploads(ctx context.Context, r *request) error {
	q, err := r.listQuery("max-uploads")
	if err != nil {
		return err
	}
	if _, err := d.Index.Bucket(ctx, r.bucket); err != nil {
		return err
	}
	type item struct {
		Key          string
		UploadID     string `xml:"UploadId"`
		Initiator    owner
		Owner        owner
		StorageClass string
		Initiated    string
	}
	var out struct {
		XMLName            xmlName `xml:"ListMultipartUploadsResult"`
		Bucket             string
		KeyMarker          string
		UploadIDMarker     string `xml:"UploadIdMarker"`
		NextKeyMarker      string `xml:",omitempty"`
		NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
		Prefix             string
		Delimiter          string `xml:",omitempty"`
		MaxUploads         int
		EncodingType       string `xml:",omitempty"`
		IsTruncated        bool
		Uploads            []item `xml:"Upload"`
		CommonPrefixes     []prefixItem
	}
	keyMarker, idMarker := r.query.Get("key-marker"), r.query.Get("upload-id-marker")
	out.Bucket, out.KeyMarker, out.UploadIDMarker = r.bucket, q.encode(keyMarker), idMarker
	out.Prefix, out.Delimiter, out.MaxUploads, out.EncodingType = q.encode(q.prefix), q.encode(q.delimiter), q.limit, q.encoding

	w := walk{prefix: q.prefix, delimiter: q.delimiter}
	next := flow.UploadRange{Bucket: r.bucket, Prefix: q.prefix, After: keyMarker, AfterID: idMarker, Limit: 1000}
	common := w.common(keyMarker) // what is below it was seen
	for q.limit > 0 && !out.IsTruncated {
		rows, err := d.Index.Uploads(ctx, next)
		if err != nil {
			return err
		}
		for _, u := range rows {
			next.After, next.AfterID = u.Key, u.ID
			c := w.common(u.Key)
			if c != "" && c == common {
				continue
			}
			if len(out.Uploads)+len(out.CommonPrefixes) == q.limit {
				out.IsTruncated = true
				break
			}
			out.NextKeyMarker, out.NextUploadIDMarker = q.encode(u.Key), u.ID
			if common = c; c != "" {
				out.CommonPrefixes = append(out.CommonPrefixes, prefixItem{q.encode(c)})
				continue
			}
			out.Uploads = append(out.Uploads, item{q.encode(u.Key), u.ID, d.owner(), d.owner(), "STANDARD", stamp(u.Created)})
		}
		if len(rows) < next.Limit {
			break
		}
	}
	if !out.IsTruncated {
		out.NextKeyMarker, out.NextUploadIDMarker = "", ""
	}
	return r.xml(http.StatusOK, out)
}

func (d *Door) objectAttributes(ctx context.Context, r *request) error {
	o, info, err := d.find(ctx, r)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, h := range r.Header.Values("x-amz-object-attributes") {
		for name := range strings.SplitSeq(h, ",") {
			wanted[strings.TrimSpace(name)] = true
		}
	}
	type partsItem struct {
		Count       int `xml:"PartsCount"`
		IsTruncated bool
		MaxParts    int
		Next        int        `xml:"NextPartNumberMarker"`
		Marker      int        `xml:"PartNumberMarker"`
		Parts       []partItem `xml:"Part"`
	}
	var out struct {
		XMLName      xmlName `xml:"GetObjectAttributesResponse"`
		ETag         string  `xml:",omitempty"`
		Checksum     *sums
		ObjectParts  *partsItem
		StorageClass string `xml:",omitempty"`
		ObjectSize   *int64
	}
	if wanted["ETag"] {
		out.ETag = o.ETag
	}
	if wanted["Checksum"] && info.Checksum != nil {
		s := sumsOf(info.Checksum)
		out.Checksum = &s
	}
	if wanted["StorageClass"] {
		out.StorageClass = "STANDARD"
	}
	if wanted["ObjectSize"] {
		out.ObjectSize = &o.Size
	}
	if wanted["ObjectParts"] && strings.Contains(o.ETag, "-") {
		limit, err := headerLimit(r, "x-amz-max-parts", 1000)
		if err != nil {
			return err
		}
		after, err := headerLimit(r, "x-amz-part-number-marker", 0)
		if err != nil {
			return err
		}
		p := partsItem{Count: len(o.Pieces), MaxParts: min(limit, 1000), Marker: after, Next: after}
		for i := after; i < len(o.Pieces) && len(p.Parts) < p.MaxParts; i++ {
			item := partItem{PartNumber: i + 1, Size: o.Pieces[i].Size}
			if info.Checksum != nil {
				item.sums = partSums(info.Checksum.Algorithm, o.Pieces[i].Check)
			}
			p.Parts = append(p.Parts, item)
			p.Next = i + 1
		}
		p.IsTruncated = p.Next < len(o.Pieces)
		out.ObjectParts = &p
	}
	h := r.w.Header()
	h.Set("Last-Modified", o.Modified.Format(http.TimeFormat))
	setVersion(h, o)
	return r.xml(http.StatusOK, out)
}

func headerLimit(r *request, name string, usual int) (int, error) {
	s := r.Header.Get(name)
	if s == "" {
		return usual, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return 0, invalid(name, s, "expected a number that is not negative")
	}
	return int(n), nil
}

var _ io.ReadCloser = (*reader)(nil)
