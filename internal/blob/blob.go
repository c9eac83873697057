// Package blob reads objects by bucket and key, wherever they are kept. It
// knows nothing of what the bytes mean, and it does not write: those who
// write objects use S3 itself.
package blob

import (
	"context"
	"io"
	"strings"

	"fairlead/internal/flow"
)

// A Source holds objects. Every method reads the newest version when version
// is empty. What is missing is a flow.NotFound error whose text names it: the
// Type of the error is "bucket", "object" or "version". Every Source passes
// blobtest.
type Source interface {
	// Fetch returns a whole object and the version that it read, which is
	// empty where the bucket keeps no versions. An object of more than max
	// bytes is a flow.Invalid error.
	Fetch(ctx context.Context, bucket, key, version string, max int64) (data []byte, read string, err error)
	// Open returns the object as a stream, which the caller closes, with its
	// size and the version that it reads.
	Open(ctx context.Context, bucket, key, version string) (body io.ReadCloser, size int64, read string, err error)
}

// ParseURL splits "s3://bucket/key".
func ParseURL(url string) (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(url, "s3://")
	if !ok {
		return "", "", flow.Errorf(flow.Invalid, "%q is not an s3:// URL", url)
	}
	bucket, key, _ = strings.Cut(rest, "/")
	if bucket == "" || key == "" {
		return "", "", flow.Errorf(flow.Invalid, "%q lacks a bucket or a key: expected s3://bucket/key", url)
	}
	return bucket, key, nil
}
