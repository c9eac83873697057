package sigv4

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The forms of x-amz-content-sha256 that are not a hash.
const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	signedChunks    = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

const (
	maxLine    = 4 << 10 // of the framing between chunks
	maxTrailer = 20      // headers behind the last chunk
)

// emptyHash is the SHA-256 of nothing.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// VerifyStream checks a request to S3 by its headers or query, and returns
// who signed it together with its body, which is verified while it is read:
// what has been read must not be believed until the reader returns io.EOF.
// Errors, of the reader too, are [*Error]s or those of Keys and connection.
func (v *Verifier) VerifyStream(r *http.Request) (Identity, *Body, error) {
	if v.Flavor == S3 && isOldQuery(r) {
		id, err := v.verifyOldQuery(r)
		if err != nil {
			return Identity{}, nil, err
		}
		body, err := v.body(r, unsignedPayload)
		return id, body, err
	}
	sig, err := v.parse(r)
	if err != nil {
		return Identity{}, nil, err
	}
	claim := r.Header.Get("X-Amz-Content-Sha256")
	if sig.presigned && claim == "" {
		claim = r.URL.Query().Get("X-Amz-Content-Sha256")
		if claim == "" {
			claim = unsignedPayload
		}
	}
	if claim == "" {
		return Identity{}, nil, v.fault(NoHash, "the header x-amz-content-sha256 is missing")
	}
	id, key, err := v.check(r, sig, claim)
	if err != nil {
		return Identity{}, nil, err
	}
	body, err := v.body(r, claim)
	if err != nil {
		return Identity{}, nil, err
	}
	if claim == signedChunks || claim == signedTrailer {
		body.sign = &chain{sig: sig, key: key, last: sig.sum}
	}
	return id, body, nil
}

// OpenBody returns the body of a request whose signature nobody checks: it
// undoes aws-chunked and checks a plain hash, but no signature of a chunk.
func (v *Verifier) OpenBody(r *http.Request) (*Body, error) {
	return v.body(r, r.Header.Get("X-Amz-Content-Sha256"))
}

func (v *Verifier) body(r *http.Request, claim string) (*Body, error) {
	b := &Body{v: v, in: bufio.NewReader(r.Body), left: -1}
	switch claim {
	case "", unsignedPayload:
		b.state = plain
	case signedChunks, signedTrailer, unsignedTrailer:
		b.state = header
		b.trailer = claim != signedChunks
		if n := r.Header.Get("X-Amz-Decoded-Content-Length"); n != "" {
			size, err := strconv.ParseInt(n, 10, 64)
			if err != nil || size < 0 {
				return nil, v.fault(BadChunk, "x-amz-decoded-content-length must be a number of bytes")
			}
			b.left = size
		}
	default:
		if want, err := hex.DecodeString(claim); err != nil || len(want) != sha256.Size {
			return nil, v.fault(NoHash, "x-amz-content-sha256 must be %s, a STREAMING form or a SHA-256 in hex", unsignedPayload)
		}
		b.state, b.want, b.sum = plain, strings.ToLower(claim), sha256.New()
	}
	return b, nil
}

// A Body is the content of a request: out of its chunks, and verified by the
// time Read returns io.EOF.
type Body struct {
	v     *Verifier
	in    *bufio.Reader
	state state
	err   error // what Read goes on returning

	want string    // hash of a plain body; empty: none
	sum  hash.Hash // of a plain body, or of the present chunk

	left     int64 // bytes of content still to come; -1: not said
	chunk    int64 // bytes left in the present chunk
	chunkSum string
	final    bool // the present chunk is the last, empty one
	trailer  bool // headers follow the last chunk
	trailers map[string]string
	sign     *chain // nil: chunks are not signed
}

type state int

const (
	plain  state = iota
	header       // before a chunk's header
	data         // within a chunk
	done
)

// A chain is the sequence of chunk signatures, each over the one before.
type chain struct {
	sig  *signature
	key  []byte
	last string
}

// next reports whether got is the signature of the next link.
func (c *chain) next(algorithm, got string, lines ...string) bool {
	c.last = sum(c.key, stringToSign(algorithm, c.sig, append([]string{c.last}, lines...)...))
	return subtle.ConstantTimeCompare([]byte(c.last), []byte(got)) == 1
}

// Trailers returns the headers that stood behind the last chunk, by
// lower-case name, once Read has returned io.EOF.
func (b *Body) Trailers() map[string]string { return b.trailers }

// Read implements [io.Reader].
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	n, err := b.read(p)
	b.err = err
	return n, err
}

func (b *Body) read(p []byte) (int, error) {
	if b.state == plain {
		return b.readPlain(p)
	}
	for {
		switch b.state {
		case header:
			if err := b.readHeader(); err != nil {
				return 0, b.broken(err)
			}
		case data:
			n, err := b.in.Read(p[:min(int64(len(p)), b.chunk)])
			b.chunk -= int64(n)
			b.sum.Write(p[:n])
			if err != nil {
				return n, b.broken(err)
			}
			if b.chunk == 0 {
				if err := b.endChunk(); err != nil {
					return 0, b.broken(err)
				}
			}
			if n > 0 {
				return n, nil
			}
		default:
			return 0, io.EOF
		}
	}
}

func (b *Body) readPlain(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if b.sum != nil {
		b.sum.Write(p[:n])
		if err == io.EOF && hex.EncodeToString(b.sum.Sum(nil)) != b.want {
			err = b.v.fault(BadHash, "the body is not the one that x-amz-content-sha256 names")
		}
	}
	return n, err
}

// readHeader reads "size;chunk-signature=hex"; the last chunk has size 0.
func (b *Body) readHeader() error {
	line, err := b.line()
	if err != nil {
		return err
	}
	size, ext, _ := strings.Cut(line, ";")
	b.chunk, err = strconv.ParseInt(size, 16, 64)
	if err != nil || b.chunk < 0 {
		return b.v.fault(BadChunk, "a chunk begins with %.30q, not with its size in hex", line)
	}
	b.chunkSum = ""
	if name, value, _ := strings.Cut(ext, "="); name == "chunk-signature" {
		b.chunkSum = value
	}
	if b.left >= 0 && b.chunk > b.left {
		return b.v.fault(BadChunk, "the body has more bytes than x-amz-decoded-content-length")
	}
	b.sum, b.state = sha256.New(), data
	if b.chunk == 0 {
		b.final = true
		return b.endChunk()
	}
	if b.left >= 0 {
		b.left -= b.chunk
	}
	return nil
}

// endChunk checks the signature of the chunk just read and what follows it.
func (b *Body) endChunk() error {
	if b.sign != nil && !b.sign.next("AWS4-HMAC-SHA256-PAYLOAD", b.chunkSum, emptyHash, hex.EncodeToString(b.sum.Sum(nil))) {
		return b.v.fault(Mismatch, "the signature of a chunk is not that of its content")
	}
	b.state = header
	if !b.final {
		line, err := b.line()
		if err == nil && line != "" {
			err = b.v.fault(BadChunk, "a chunk is longer than it says")
		}
		return err
	}
	if b.left > 0 {
		return b.v.fault(BadChunk, "the body has %d bytes less than x-amz-decoded-content-length", b.left)
	}
	b.state = done
	return b.readTrailers()
}

// readTrailers reads the headers behind the last chunk, up to an empty line
// or the end.
func (b *Body) readTrailers() error {
	b.trailers = map[string]string{}
	signed := ""
	for {
		line, err := b.line()
		if err != nil && err != io.EOF {
			return err
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case !ok || !b.trailer || len(b.trailers) == maxTrailer:
			return b.v.fault(BadChunk, "%.50q does not belong behind the last chunk", line)
		case name == "x-amz-trailer-signature":
			signed = strings.TrimSpace(value)
		default:
			b.trailers[name] = strings.TrimSpace(value)
		}
	}
	if b.sign == nil || !b.trailer {
		return nil
	}
	var text bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(b.trailers)) {
		text.WriteString(name + ":" + b.trailers[name] + "\n")
	}
	h := sha256.Sum256(text.Bytes())
	if !b.sign.next("AWS4-HMAC-SHA256-TRAILER", signed, hex.EncodeToString(h[:])) {
		return b.v.fault(Mismatch, "the signature behind the last chunk is not that of the trailing headers")
	}
	return nil
}

// line reads one line of the framing, without its line end.
func (b *Body) line() (string, error) {
	var line []byte
	for {
		part, err := b.in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return "", b.v.fault(TooLarge, "a line between the chunks is longer than %d bytes", maxLine)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		return strings.TrimRight(string(line), "\r\n"), err
	}
}

// broken names an end that came too early.
func (b *Body) broken(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return b.v.fault(BadChunk, "the body ends within a chunk")
	}
	return err
}
