package s3door

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"fairlead/internal/flow"
)

// An algorithm is one of S3's checksums, by its name in documents.
type algorithm string

// The algorithms.
const (
	crc32ieee  algorithm = "CRC32"
	crc32c     algorithm = "CRC32C"
	crc64nvme  algorithm = "CRC64NVME"
	sha1sum    algorithm = "SHA1"
	sha256sum  algorithm = "SHA256"
	noChecksum algorithm = ""
)

var algorithms = [...]algorithm{crc32ieee, crc32c, crc64nvme, sha1sum, sha256sum}

// nvmeTable is made when first used: most servers never see the algorithm.
var nvmeTable = sync.OnceValue(func() *crc64.Table { return crc64.MakeTable(0x9a6c9329ac4bc9b5) })

// header is where a value travels.
func (a algorithm) header() string { return "x-amz-checksum-" + strings.ToLower(string(a)) }

func (a algorithm) new() hash.Hash {
	switch a {
	case crc32ieee:
		return crc32.NewIEEE()
	case crc32c:
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case crc64nvme:
		return crc64.New(nvmeTable())
	case sha1sum:
		return sha1.New()
	}
	return sha256.New()
}

// parseAlgorithm reads a name as clients send it, in either case.
func parseAlgorithm(header, s string) (algorithm, error) {
	if s == "" {
		return noChecksum, nil
	}
	for _, a := range algorithms {
		if strings.EqualFold(s, string(a)) {
			return a, nil
		}
	}
	return noChecksum, newError("InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]").about("ArgumentName", header)
}

// A checksum is a value that was given or computed.
type checksum struct {
	Algorithm algorithm
	// Value is base64; that of a composite ends in "-" and the number of
	// parts.
	Value string
	Type  string // "FULL_OBJECT" or "COMPOSITE"
}

func (c *checksum) set(h http.Header) {
	if c != nil && c.Algorithm != noChecksum {
		h.Set(c.Algorithm.header(), c.Value)
		h.Set("x-amz-checksum-type", c.Type)
	}
}

// A digest is what a client says about the content that it sends, and
// what was found.
type digest struct {
	md5    hash.Hash
	want   []byte // Content-MD5
	algo   algorithm
	sum    hash.Hash // nil: no algorithm
	claim  string    // the value in the header
	trails bool      // the value comes after the content
	body   *body
	size   int64
}

// digest reads what the request's header says. A request that names no
// algorithm has that of its upload, which may be none.
func (r *request) digest(upload algorithm) (*digest, error) {
	g := &digest{md5: md5.New(), algo: upload, body: r.body}
	if s := r.Header.Get("Content-MD5"); s != "" {
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil || len(raw) != md5.Size {
			return nil, newError("InvalidDigest", "The Content-MD5 you specified was invalid.").about("Content-MD5", s[:min(len(s), 64)])
		}
		g.want = raw
	}
	given := 0
	for _, a := range algorithms {
		if s := r.Header.Get(a.header()); s != "" {
			given++
			g.algo, g.claim = a, s
		}
		if strings.EqualFold(strings.TrimSpace(r.Header.Get("x-amz-trailer")), a.header()) {
			given++
			g.algo, g.trails = a, true
		}
	}
	if given > 1 {
		return nil, newError("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
	}
	if given == 0 {
		a, err := parseAlgorithm("x-amz-sdk-checksum-algorithm", r.Header.Get("x-amz-sdk-checksum-algorithm"))
		if err != nil {
			return nil, err
		}
		if a != noChecksum {
			g.algo = a
		}
	}
	if upload != noChecksum && g.algo != upload {
		return nil, newError("InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: "+strings.ToLower(string(upload))+", actual checksum Type: "+strings.ToLower(string(g.algo)))
	}
	if g.algo != noChecksum {
		g.sum = g.algo.new()
	}
	if g.claim != "" && !g.wellFormed(g.claim) {
		return nil, newError("InvalidRequest", "Value for "+g.algo.header()+" header is invalid.")
	}
	return g, nil
}

func (g *digest) wellFormed(s string) bool {
	raw, err := base64.StdEncoding.DecodeString(s)
	return err == nil && len(raw) == g.sum.Size()
}

// Read yields the content. At its end it compares, and a difference is the
// error in place of io.EOF.
func (g *digest) Read(p []byte) (int, error) {
	n, err := g.body.Read(p)
	g.md5.Write(p[:n])
	if g.sum != nil {
		g.sum.Write(p[:n])
	}
	if g.size += int64(n); g.size > maxPut {
		return n, tooLarge()
	}
	if err == io.EOF {
		if wrong := g.compare(); wrong != nil {
			return n, wrong
		}
	}
	return n, err
}

// compare is called at the content's end.
func (g *digest) compare() error {
	if g.body.size >= 0 && g.size != g.body.size {
		return newError("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	if g.want != nil && !bytes.Equal(g.want, g.md5.Sum(nil)) {
		return newError("BadDigest", "The Content-MD5 you specified did not match what we received.").
			about("ExpectedDigest", base64.StdEncoding.EncodeToString(g.want)).
			about("CalculatedDigest", base64.StdEncoding.EncodeToString(g.md5.Sum(nil)))
	}
	if g.trails {
		g.claim = ""
		if g.body.trailer != nil {
			g.claim = g.body.trailer()[g.algo.header()]
		}
		if !g.wellFormed(g.claim) {
			return newError("InvalidRequest", "Value for "+g.algo.header()+" trailing header is invalid.")
		}
	}
	if g.claim != "" && g.claim != g.value() {
		return newError("BadDigest", "The "+string(g.algo)+" you specified did not match the calculated checksum.")
	}
	return nil
}

// value is the checksum of what was read.
func (g *digest) value() string { return base64.StdEncoding.EncodeToString(g.sum.Sum(nil)) }

// etag is that of what was read.
func (g *digest) etag() string { return hex.EncodeToString(g.md5.Sum(nil)) }

// found is the checksum of what was read, nil without an algorithm.
func (g *digest) found() *checksum {
	if g.sum == nil {
		return nil
	}
	return &checksum{Algorithm: g.algo, Value: g.value(), Type: "FULL_OBJECT"}
}

// checkDigests compares what the header says about a document that was read.
func (r *request) checkDigests(data []byte) error {
	g, err := r.digest(noChecksum)
	if err != nil {
		return err
	}
	g.md5.Write(data)
	if g.sum != nil {
		g.sum.Write(data)
	}
	g.size = int64(len(data))
	return g.compare()
}

// joinETags is the ETag of an object made of parts with these ETags.
func joinETags(parts []flow.Part) string {
	h := md5.New()
	for _, p := range parts {
		raw, _ := hex.DecodeString(p.ETag) // ours: always hexadecimal
		h.Write(raw)
	}
	return hex.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
}

// joinChecksums is the checksum of an object made of pieces that each have
// one; nil if a piece has none.
func joinChecksums(a algorithm, typ string, pieces []flow.Piece) *checksum {
	if a == noChecksum || len(pieces) == 0 {
		return nil
	}
	whole := a.new()
	var crc uint64
	for i, p := range pieces {
		raw, err := base64.StdEncoding.DecodeString(p.Check)
		if err != nil || len(raw) != whole.Size() {
			return nil
		}
		if typ == "COMPOSITE" {
			whole.Write(raw)
			continue
		}
		var v uint64
		if len(raw) == 4 {
			v = uint64(binary.BigEndian.Uint32(raw))
		} else {
			v = binary.BigEndian.Uint64(raw)
		}
		if i == 0 {
			crc = v
		} else {
			crc = joinCRC(a, crc, v, p.Size)
		}
	}
	if typ == "COMPOSITE" {
		return &checksum{a, base64.StdEncoding.EncodeToString(whole.Sum(nil)) + "-" + strconv.Itoa(len(pieces)), typ}
	}
	raw := binary.BigEndian.AppendUint64(nil, crc)
	return &checksum{a, base64.StdEncoding.EncodeToString(raw[8-whole.Size():]), typ}
}

// joinCRC returns the CRC of a text from those of its two halves, the second
// of which has size bytes. Appending a zero bit to a text is a linear map of
// its CRC, so appending many is that map's power, which takes few squarings.
func joinCRC(a algorithm, first, second uint64, size int64) uint64 {
	width, poly := 32, uint64(crc32.IEEE)
	switch a {
	case crc32c:
		poly = crc32.Castagnoli
	case crc64nvme:
		width, poly = 64, 0x9a6c9329ac4bc9b5
	}
	// A row of m is what one bit of the CRC becomes.
	m := make([]uint64, width)
	m[0] = poly
	for i := 1; i < width; i++ {
		m[i] = 1 << (i - 1)
	}
	apply := func(m []uint64, v uint64) (out uint64) {
		for i := 0; v != 0; i, v = i+1, v>>1 {
			if v&1 == 1 {
				out ^= m[i]
			}
		}
		return out
	}
	for bits := uint64(size) * 8; bits > 0; bits >>= 1 {
		if bits&1 == 1 {
			first = apply(m, first)
		}
		squared := make([]uint64, width)
		for i := range squared {
			squared[i] = apply(m, m[i])
		}
		m = squared
	}
	return first ^ second
}
