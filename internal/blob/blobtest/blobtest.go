// Package blobtest is the suite that every blob.Source passes.
package blobtest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"fairlead/internal/blob"
	"fairlead/internal/flow"
)

// Run checks src. put stores an object in the existing, versioned bucket and
// returns the version that it made.
func Run(t *testing.T, src blob.Source, bucket string, put func(key string, data []byte) string) {
	const key = "dir with space/é+%25.yaml"
	ctx := t.Context()
	v1 := put(key, []byte("one"))
	v2 := put(key, []byte("second"))
	if v1 == v2 || v1 == "" {
		t.Fatalf("put made versions %q and %q", v1, v2)
	}
	for _, tt := range []struct{ version, want, read string }{
		{"", "second", v2},
		{v1, "one", v1},
		{v2, "second", v2},
	} {
		data, read, err := src.Fetch(ctx, bucket, key, tt.version, 6)
		if err != nil || string(data) != tt.want || read != tt.read {
			t.Errorf("Fetch(version %q) = %q, %q, %v; want %q, %q", tt.version, data, read, err, tt.want, tt.read)
		}
		body, size, read, err := src.Open(ctx, bucket, key, tt.version)
		if err != nil {
			t.Errorf("Open(version %q): %v", tt.version, err)
			continue
		}
		data, err = io.ReadAll(body)
		body.Close()
		if err != nil || string(data) != tt.want || read != tt.read || size != int64(len(tt.want)) {
			t.Errorf("Open(version %q) = %q of %d, %q, %v; want %q, %q", tt.version, data, size, read, err, tt.want, tt.read)
		}
	}
	_, _, err := src.Fetch(ctx, bucket, key, "", 5)
	if flow.KindOf(err) != flow.Invalid {
		t.Errorf("Fetch of 6 bytes with max 5: got %v; want an Invalid error", err)
	}
	for _, tt := range []struct{ bucket, key, version, typ string }{
		{bucket, "no such", "", "object"},
		{"no-such-bucket", key, "", "bucket"},
		{bucket, key, strings.Repeat("0", len(v1)), "version"},
	} {
		_, _, err := src.Fetch(ctx, tt.bucket, tt.key, tt.version, 10)
		if flow.KindOf(err) != flow.NotFound {
			t.Errorf("Fetch(%q, %q, %q): got %v; want NotFound", tt.bucket, tt.key, tt.version, err)
			continue
		}
		if e, _ := errors.AsType[*flow.Error](err); e.Type != tt.typ {
			t.Errorf("Fetch(%q, %q, %q): type %q (%v); want %q", tt.bucket, tt.key, tt.version, e.Type, err, tt.typ)
		}
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	put("large", large)
	if data, _, err := src.Fetch(ctx, bucket, "large", "", 1<<20); err != nil || !bytes.Equal(data, large) {
		t.Errorf("Fetch(large) = %d bytes, %v; want the %d that were put", len(data), err, len(large))
	}
}
