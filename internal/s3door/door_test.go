package s3door_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/internal/aws/sigv4"
	"fairlead/internal/blob/blobtest"
	"fairlead/internal/blob/file"
	"fairlead/internal/s3door"
	"fairlead/internal/store"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// A world is a door with a real index, real files and a real client.
type world struct {
	*s3.Client
	t    *testing.T
	door *s3door.Door
	url  string
	dir  string
}

func newWorld(t *testing.T) *world {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "rows.db"))
	if err != nil {
		t.Fatal(err)
	}
	contents, err := file.Open(filepath.Join(dir, "contents"))
	if err != nil {
		t.Fatal(err)
	}
	keys := oneKey{}
	door := s3door.New(s3door.Config{
		Index: db, Contents: contents, Region: "eu-west-1", Account: "111122223333",
		Verifier: &sigv4.Verifier{Keys: keys, Service: "s3", Flavor: sigv4.S3},
		Log:      slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	server := httptest.NewServer(door)
	t.Cleanup(func() {
		server.Close()
		contents.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(server.URL), Region: "eu-west-1", UsePathStyle: true,
		Credentials:      aws.CredentialsProviderFunc(keys.credentials),
		RetryMaxAttempts: 1,
		// What LoadDefaultConfig would set.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	})
	return &world{client, t, door, server.URL, dir}
}

// oneKey knows one access key.
type oneKey struct{}

func (oneKey) Key(_ context.Context, id, _ string) (sigv4.Key, bool, error) {
	return sigv4.Key{Secret: "secret", Account: "111122223333"}, id == "AKIDEXAMPLE", nil
}

func (oneKey) credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
}

func (w *world) bucket(name string) {
	w.t.Helper()
	if _, err := w.CreateBucket(w.t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) versioned(name string) {
	w.t.Helper()
	w.bucket(name)
	_, err := w.PutBucketVersioning(w.t.Context(), &s3.PutBucketVersioningInput{Bucket: &name,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// put returns the version that it made.
func (w *world) put(bucket, key, data string) string {
	w.t.Helper()
	out, err := w.PutObject(w.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(data)})
	if err != nil {
		w.t.Fatalf("put %s/%s: %v", bucket, key, err)
	}
	return aws.ToString(out.VersionId)
}

func (w *world) get(in *s3.GetObjectInput) string {
	w.t.Helper()
	out, err := w.GetObject(w.t.Context(), in)
	if err != nil {
		return code(err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		w.t.Fatalf("read %s/%s: %v", *in.Bucket, *in.Key, err)
	}
	return string(data)
}

// files counts the contents on disk.
func (w *world) files() (n int) {
	paths, _ := filepath.Glob(filepath.Join(w.dir, "contents", "*", "*"))
	return len(paths)
}

// code is the code of an error, or "ok".
func code(err error) string {
	if err == nil {
		return "ok"
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return err.Error()
}

func TestObjectComesBackAsItWasPut(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.bucket("bkt")
	content := "0123456789"
	put, err := w.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String("bkt"), Key: aws.String("a b/é+%25/../x"), Body: strings.NewReader(content),
		ContentType: aws.String("text/yaml"), CacheControl: aws.String("no-store"), ContentEncoding: aws.String("identity"),
		Metadata: map[string]string{"owner": "team a"}, ServerSideEncryption: types.ServerSideEncryptionAes256,
		ACL: types.ObjectCannedACLBucketOwnerFullControl, Tagging: aws.String("k=v&l=m"),
	})
	if err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum([]byte(content))
	etag := `"` + hex.EncodeToString(sum[:]) + `"`
	if *put.ETag != etag || put.ServerSideEncryption != types.ServerSideEncryptionAes256 || aws.ToString(put.ChecksumCRC32) == "" {
		t.Errorf("PutObject: ETag %s, encryption %s, CRC32 %q; want %s, AES256 and a checksum",
			*put.ETag, put.ServerSideEncryption, aws.ToString(put.ChecksumCRC32), etag)
	}
	in := &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("a b/é+%25/../x")}
	got, err := w.GetObject(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	data, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	have := []any{string(data), *got.ETag, *got.ContentType, *got.CacheControl, *got.ContentEncoding, got.Metadata, *got.ContentLength, *got.TagCount, *got.ChecksumCRC32}
	want := []any{content, etag, "text/yaml", "no-store", "identity", map[string]string{"owner": "team a"}, int64(10), int32(2), *put.ChecksumCRC32}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("GetObject (-want +got):\n%s", diff)
	}
	modified := *got.LastModified
	for _, tt := range []struct {
		name string
		edit func(*s3.GetObjectInput)
		want string
	}{
		{"first bytes", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=0-3") }, "0123"},
		{"from", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=8-") }, "89"},
		{"last bytes", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=-3") }, "789"},
		{"beyond", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=9-99") }, "9"},
		{"outside", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=10-") }, "InvalidRange"},
		{"several ranges", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=0-1,3-4") }, content},
		{"nonsense range", func(in *s3.GetObjectInput) { in.Range = aws.String("lines=1") }, content},
		{"match", func(in *s3.GetObjectInput) { in.IfMatch = &etag }, content},
		{"no match", func(in *s3.GetObjectInput) { in.IfMatch = aws.String(`"x"`) }, "PreconditionFailed"},
		{"none match", func(in *s3.GetObjectInput) { in.IfNoneMatch = &etag }, "NotModified"},
		{"unmodified", func(in *s3.GetObjectInput) { in.IfUnmodifiedSince = aws.Time(modified.Add(-time.Second)) }, "PreconditionFailed"},
		{"unmodified but match", func(in *s3.GetObjectInput) {
			in.IfMatch, in.IfUnmodifiedSince = &etag, aws.Time(modified.Add(-time.Second))
		}, content},
		{"modified", func(in *s3.GetObjectInput) { in.IfModifiedSince = &modified }, "NotModified"},
		{"part 1", func(in *s3.GetObjectInput) { in.PartNumber = aws.Int32(1) }, content},
		{"part 2", func(in *s3.GetObjectInput) { in.PartNumber = aws.Int32(2) }, "InvalidPartNumber"},
		{"no key", func(in *s3.GetObjectInput) { in.Key = aws.String("nix") }, "NoSuchKey"},
		{"no bucket", func(in *s3.GetObjectInput) { in.Bucket = aws.String("nix") }, "NoSuchBucket"},
		{"no version", func(in *s3.GetObjectInput) { in.VersionId = aws.String("nix") }, "NoSuchVersion"},
		{"null version", func(in *s3.GetObjectInput) { in.VersionId = aws.String("null") }, content},
	} {
		in := *in
		tt.edit(&in)
		if got := w.get(&in); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if _, err := w.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: in.Bucket, Key: in.Key}); err != nil {
		t.Error(err)
	}
	if got := w.get(in); got != "NoSuchKey" {
		t.Errorf("after the delete: %q; want NoSuchKey", got)
	}
	if n := w.files(); n != 0 {
		t.Errorf("%d contents are left after the delete; want none", n)
	}
}

func TestEveryChecksumAlgorithm(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.bucket("bkt")
	for _, algo := range types.ChecksumAlgorithm("").Values() {
		key := string(algo)
		_, err := w.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: &key,
			Body: strings.NewReader("content"), ChecksumAlgorithm: algo})
		switch algo {
		case types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme, types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256:
			if err != nil {
				t.Errorf("%s: %v", algo, err)
			}
		default:
			continue // newer than this door
		}
		// The client compares the checksum that comes back.
		if got := w.get(&s3.GetObjectInput{Bucket: aws.String("bkt"), Key: &key, ChecksumMode: types.ChecksumModeEnabled}); got != "content" {
			t.Errorf("%s: got %q", algo, got)
		}
	}
	_, err := w.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), Body: strings.NewReader("content"), ChecksumCRC32: aws.String("AAAAAA==")})
	if code(err) != "BadDigest" {
		t.Errorf("wrong CRC32: %v; want BadDigest", err)
	}
	_, err = w.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), Body: strings.NewReader("content"), ContentMD5: aws.String("AAAAAAAAAAAAAAAAAAAAAA==")})
	if code(err) != "BadDigest" {
		t.Errorf("wrong MD5: %v; want BadDigest", err)
	}
	if got := w.get(&s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")}); got != "NoSuchKey" {
		t.Errorf("a refused object is there: %q", got)
	}
}

func TestVersions(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.bucket("bkt")
	w.put("bkt", "k", "before")
	_, err := w.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String("bkt"),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	if err != nil {
		t.Fatal(err)
	}
	v1, v2 := w.put("bkt", "k", "one"), w.put("bkt", "k", "two")
	get := func(version string) string {
		in := &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")}
		if version != "" {
			in.VersionId = &version
		}
		return w.get(in)
	}
	del := func(version string) *s3.DeleteObjectOutput {
		in := &s3.DeleteObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")}
		if version != "" {
			in.VersionId = &version
		}
		out, err := w.DeleteObject(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	check := func(what string, want ...string) {
		t.Helper()
		var got []string
		for _, v := range []string{"", "null", v1, v2} {
			got = append(got, get(v))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: newest, null, v1, v2 (-want +got):\n%s", what, diff)
		}
	}
	check("three versions", "two", "before", "one", "two")
	mark := del("")
	if !aws.ToBool(mark.DeleteMarker) || aws.ToString(mark.VersionId) == "" {
		t.Errorf("delete: %+v; want a mark with a version", mark)
	}
	check("marked", "NoSuchKey", "before", "one", "two")
	if got := get(*mark.VersionId); got != "MethodNotAllowed" {
		t.Errorf("get of the mark: %s; want MethodNotAllowed", got)
	}
	list, err := w.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: aws.String("bkt")})
	if err != nil || len(list.Versions) != 3 || len(list.DeleteMarkers) != 1 || !*list.DeleteMarkers[0].IsLatest {
		t.Errorf("ListObjectVersions = %+v, %v; want 3 versions below a mark", list, err)
	}
	del(*mark.VersionId)
	check("mark gone", "two", "before", "one", "two")
	del(v2)
	check("newest gone", "one", "before", "one", "NoSuchVersion")
	_, err = w.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String("bkt"),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended}})
	if err != nil {
		t.Fatal(err)
	}
	w.put("bkt", "k", "after")
	check("suspended", "after", "after", "one", "NoSuchVersion")
	del("")
	check("suspended, deleted", "NoSuchKey", "MethodNotAllowed", "one", "NoSuchVersion")
	_, err = w.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("bkt")})
	if code(err) != "BucketNotEmpty" {
		t.Errorf("DeleteBucket: %v; want BucketNotEmpty", err)
	}
	del("null")
	del(v1)
	if _, err = w.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("bkt")}); err != nil {
		t.Errorf("DeleteBucket of the empty bucket: %v", err)
	}
	if n := w.files(); n != 0 {
		t.Errorf("%d contents are left; want none", n)
	}
}

func TestConditionalWrites(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.bucket("bkt")
	put := func(key string, edit func(*s3.PutObjectInput)) string {
		in := &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: &key, Body: strings.NewReader("x")}
		edit(in)
		_, err := w.PutObject(ctx, in)
		return code(err)
	}
	absent := func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }
	etag := func(e string) func(*s3.PutObjectInput) { return func(in *s3.PutObjectInput) { in.IfMatch = &e } }
	sum := md5.Sum([]byte("x"))
	for _, tt := range []struct {
		name, key string
		edit      func(*s3.PutObjectInput)
		want      string
	}{
		{"if absent, and is", "a", absent, "ok"},
		{"if absent, and is not", "a", absent, "PreconditionFailed"},
		{"if as read", "a", etag(`"` + hex.EncodeToString(sum[:]) + `"`), "ok"},
		{"if other than is", "a", etag(`"0"`), "PreconditionFailed"},
		{"if as read, but is not there", "b", etag(`"0"`), "NoSuchKey"},
	} {
		if got := put(tt.key, tt.edit); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	if n := w.files(); n != 1 {
		t.Errorf("%d contents on disk; want 1", n)
	}
	// Of many who write at once if nobody has, one wins.
	results := make(chan string)
	for range 16 {
		go func() { results <- put("race", absent) }()
	}
	tally := map[string]int{}
	for range 16 {
		tally[<-results]++
	}
	if diff := cmp.Diff(map[string]int{"ok": 1, "PreconditionFailed": 15}, tally); diff != "" {
		t.Errorf("16 writes at once if absent (-want +got):\n%s", diff)
	}
}

func TestUploadInParts(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.bucket("bkt")
	rng := rand.New(rand.NewPCG(1, 2))
	parts := [][]byte{make([]byte, 5<<20), make([]byte, 5<<20+3), make([]byte, 17)}
	var whole []byte
	for _, p := range parts {
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		whole = append(whole, p...)
	}
	for _, tt := range []struct {
		algo types.ChecksumAlgorithm
		typ  types.ChecksumType
	}{
		{types.ChecksumAlgorithmCrc32, types.ChecksumTypeComposite},
		{types.ChecksumAlgorithmCrc32, types.ChecksumTypeFullObject},
		{types.ChecksumAlgorithmCrc32c, types.ChecksumTypeFullObject},
		{types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject},
		{types.ChecksumAlgorithmSha256, types.ChecksumTypeComposite},
	} {
		name := string(tt.algo) + " " + string(tt.typ)
		key := aws.String("big " + name)
		up, err := w.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("bkt"), Key: key,
			ChecksumAlgorithm: tt.algo, ChecksumType: tt.typ, ContentType: aws.String("x/y")})
		if err != nil {
			t.Fatal(err)
		}
		done := &types.CompletedMultipartUpload{}
		for i, p := range parts {
			out, err := w.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String("bkt"), Key: key, UploadId: up.UploadId,
				PartNumber: aws.Int32(int32(i*7 + 1)), Body: bytes.NewReader(p), ChecksumAlgorithm: tt.algo})
			if err != nil {
				t.Fatalf("%s: part %d: %v", name, i, err)
			}
			done.Parts = append(done.Parts, types.CompletedPart{ETag: out.ETag, PartNumber: aws.Int32(int32(i*7 + 1)),
				ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumSHA256: out.ChecksumSHA256})
		}
		listed, err := w.ListParts(ctx, &s3.ListPartsInput{Bucket: aws.String("bkt"), Key: key, UploadId: up.UploadId, MaxParts: aws.Int32(2)})
		if err != nil || len(listed.Parts) != 2 || !*listed.IsTruncated || *listed.NextPartNumberMarker != "8" {
			t.Errorf("%s: ListParts(max 2) = %+v, %v; want two parts, more after 8", name, listed, err)
		}
		complete := &s3.CompleteMultipartUploadInput{Bucket: aws.String("bkt"), Key: key, UploadId: up.UploadId, MultipartUpload: done}
		out, err := w.CompleteMultipartUpload(ctx, complete)
		if err != nil {
			t.Fatalf("%s: complete: %v", name, err)
		}
		if again, err := w.CompleteMultipartUpload(ctx, complete); err != nil || *again.ETag != *out.ETag {
			t.Errorf("%s: complete again: %v; want the same answer", name, err)
		}
		if !strings.HasSuffix(*out.ETag, `-3"`) {
			t.Errorf("%s: ETag %s; want it to end in -3", name, *out.ETag)
		}
		if tt.algo == types.ChecksumAlgorithmCrc32 && tt.typ == types.ChecksumTypeFullObject {
			n := crc32.ChecksumIEEE(whole)
			want := base64of(byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
			if got := aws.ToString(out.ChecksumCRC32); got != want {
				t.Errorf("%s: joined checksum %s; want %s", name, got, want)
			}
		}
		// The client compares the checksum of the whole.
		if got := w.get(&s3.GetObjectInput{Bucket: aws.String("bkt"), Key: key}); got != string(whole) {
			t.Errorf("%s: %d bytes came back, not the %d that were put", name, len(got), len(whole))
		}
		if got := w.get(&s3.GetObjectInput{Bucket: aws.String("bkt"), Key: key, PartNumber: aws.Int32(2)}); got != string(parts[1]) {
			t.Errorf("%s: part 2 has %d bytes; want %d", name, len(got), len(parts[1]))
		}
		for range 20 {
			from := rng.IntN(len(whole))
			to := from + rng.IntN(len(whole)-from)
			if got := w.get(&s3.GetObjectInput{Bucket: aws.String("bkt"), Key: key, Range: aws.String(fmt.Sprintf("bytes=%d-%d", from, to))}); got != string(whole[from:to+1]) {
				t.Errorf("%s: bytes %d to %d differ", name, from, to)
			}
		}
		if tt.typ == types.ChecksumTypeComposite {
			attr, err := w.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: aws.String("bkt"), Key: key,
				ObjectAttributes: types.ObjectAttributes("").Values()})
			if err != nil || *attr.ObjectSize != int64(len(whole)) || *attr.ObjectParts.TotalPartsCount != 3 || len(attr.ObjectParts.Parts) != 3 {
				t.Errorf("%s: GetObjectAttributes = %+v, %v", name, attr, err)
			}
		}
	}
}

func base64of(b ...byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	n := uint64(b[0])<<40 | uint64(b[1])<<32 | uint64(b[2])<<24 | uint64(b[3])<<16
	var s []byte
	for shift := 42; shift >= 12; shift -= 6 {
		s = append(s, digits[n>>shift&63])
	}
	return string(s) + "=="
}

func TestUploadErrors(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.bucket("bkt")
	key := aws.String("k")
	up, err := w.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("bkt"), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	part := func(n int32, id *string) (string, string) {
		out, err := w.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String("bkt"), Key: key, UploadId: id, PartNumber: &n, Body: strings.NewReader(fmt.Sprint(n))})
		if err != nil {
			return "", code(err)
		}
		return *out.ETag, "ok"
	}
	etag1, _ := part(1, up.UploadId)
	etag2, _ := part(2, up.UploadId)
	complete := func(parts ...types.CompletedPart) string {
		_, err := w.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: aws.String("bkt"), Key: key, UploadId: up.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
		return code(err)
	}
	p := func(n int32, etag string) types.CompletedPart {
		return types.CompletedPart{PartNumber: &n, ETag: &etag}
	}
	_, none := part(3, aws.String("nix"))
	_, zero := part(10001, up.UploadId)
	for _, tt := range []struct{ name, got, want string }{
		{"part of no upload", none, "NoSuchUpload"},
		{"part 10001", zero, "InvalidArgument"},
		{"small part before another", complete(p(1, etag1), p(2, etag2)), "EntityTooSmall"},
		{"wrong ETag", complete(p(1, etag2)), "InvalidPart"},
		{"missing part", complete(p(5, etag2)), "InvalidPart"},
		{"wrong order", complete(p(2, etag2), p(1, etag1)), "InvalidPartOrder"},
		{"no parts", complete(), "MalformedXML"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, tt.got, tt.want)
		}
	}
	list, err := w.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String("bkt")})
	if err != nil || len(list.Uploads) != 1 || *list.Uploads[0].UploadId != *up.UploadId {
		t.Errorf("ListMultipartUploads = %+v, %v; want the one", list, err)
	}
	if _, err := w.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String("bkt"), Key: key, UploadId: up.UploadId}); err != nil {
		t.Error(err)
	}
	if got := complete(p(1, etag1)); got != "NoSuchUpload" {
		t.Errorf("complete after abort: %s; want NoSuchUpload", got)
	}
	if n := w.files(); n != 0 {
		t.Errorf("%d contents are left; want none", n)
	}
}

func TestCopies(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.versioned("src")
	w.bucket("dst")
	_, err := w.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("src"), Key: aws.String("a b+é"), Body: strings.NewReader("old"),
		ContentType: aws.String("x/y"), Metadata: map[string]string{"m": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	old, err := w.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("src"), Key: aws.String("a b+é")})
	if err != nil {
		t.Fatal(err)
	}
	w.put("src", "a b+é", "newer")
	const escaped = "src/a%20b%2B%C3%A9"
	for _, tt := range []struct {
		name, want string
		in         s3.CopyObjectInput
	}{
		{"newest", "newer", s3.CopyObjectInput{CopySource: aws.String(escaped)}},
		{"old version", "old", s3.CopyObjectInput{CopySource: aws.String("/" + escaped + "?versionId=" + *old.VersionId)}},
		{"no key", "NoSuchKey", s3.CopyObjectInput{CopySource: aws.String("src/nix")}},
		{"no bucket", "NoSuchBucket", s3.CopyObjectInput{CopySource: aws.String("nix/nix")}},
		{"no such version", "NoSuchVersion", s3.CopyObjectInput{CopySource: aws.String(escaped + "?versionId=nix")}},
		{"nonsense", "InvalidArgument", s3.CopyObjectInput{CopySource: aws.String("x")}},
		{"condition", "PreconditionFailed", s3.CopyObjectInput{CopySource: aws.String(escaped), CopySourceIfMatch: aws.String("x")}},
		{"metadata replaced", "newer", s3.CopyObjectInput{CopySource: aws.String(escaped), MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"n": "2"}}},
	} {
		tt.in.Bucket, tt.in.Key = aws.String("dst"), aws.String(tt.name)
		_, err := w.CopyObject(ctx, &tt.in)
		got := code(err)
		if err == nil {
			got = w.get(&s3.GetObjectInput{Bucket: tt.in.Bucket, Key: tt.in.Key})
		}
		if got != tt.want {
			t.Errorf("copy %s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	head, err := w.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("dst"), Key: aws.String("old version")})
	if err != nil || *head.ContentType != "x/y" || head.Metadata["m"] != "1" {
		t.Errorf("the copy's metadata: %+v, %v; want those of its source", head, err)
	}
	head, err = w.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("dst"), Key: aws.String("metadata replaced")})
	if err != nil || head.Metadata["n"] != "2" || head.Metadata["m"] != "" {
		t.Errorf("replaced metadata: %+v, %v; want n=2 alone", head, err)
	}
	_, err = w.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("dst"), Key: aws.String("newest"), CopySource: aws.String("dst/newest")})
	if code(err) != "InvalidRequest" {
		t.Errorf("copy onto itself: %v; want InvalidRequest", err)
	}
	// The copy outlives its source.
	for _, v := range []string{*old.VersionId} {
		if _, err := w.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("src"), Key: aws.String("a b+é"), VersionId: &v}); err != nil {
			t.Error(err)
		}
	}
	if got := w.get(&s3.GetObjectInput{Bucket: aws.String("dst"), Key: aws.String("old version")}); got != "old" {
		t.Errorf("the copy without its source: %q; want %q", got, "old")
	}
	up, err := w.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("dst"), Key: aws.String("part")})
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: aws.String("dst"), Key: aws.String("part"), UploadId: up.UploadId,
		PartNumber: aws.Int32(1), CopySource: aws.String(escaped), CopySourceRange: aws.String("bytes=1-3")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: aws.String("dst"), Key: aws.String("part"), UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: p.CopyPartResult.ETag}}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.get(&s3.GetObjectInput{Bucket: aws.String("dst"), Key: aws.String("part")}); got != "ewe" {
		t.Errorf("part copied from a range: %q; want %q", got, "ewe")
	}
}

func TestDeleteMany(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.bucket("bkt")
	var ids []types.ObjectIdentifier
	for i := range 200 {
		key := fmt.Sprintf("k<%d>", i)
		w.put("bkt", key, "x")
		ids = append(ids, types.ObjectIdentifier{Key: &key})
	}
	ids = append(ids, types.ObjectIdentifier{Key: aws.String(strings.Repeat("x", 1025))})
	out, err := w.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("bkt"), Delete: &types.Delete{Objects: ids}})
	if err != nil || len(out.Deleted) != 200 || len(out.Errors) != 1 || *out.Errors[0].Code != "KeyTooLongError" {
		t.Fatalf("DeleteObjects = %d deleted, %d errors, %v; want 200 and 1", len(out.Deleted), len(out.Errors), err)
	}
	if *out.Deleted[7].Key != "k<7>" {
		t.Errorf("the answer's order: %q; want %q", *out.Deleted[7].Key, "k<7>")
	}
	if n := w.files(); n != 0 {
		t.Errorf("%d contents are left; want none", n)
	}
}

func TestBuckets(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for _, tt := range []struct{ name, region, want string }{
		{"b-one", "", "ok"},
		{"b-two", "ap-south-1", "ok"},
		{"b-one", "", "BucketAlreadyOwnedByYou"},
		{"Upper", "", "InvalidBucketName"},
		{"ab", "", "InvalidBucketName"},
		{"a..b", "", "InvalidBucketName"},
		{"10.0.0.1", "", "InvalidBucketName"},
		{"-ab", "", "InvalidBucketName"},
		{"b-xyz", "not a region", "InvalidLocationConstraint"},
	} {
		in := &s3.CreateBucketInput{Bucket: &tt.name}
		if tt.region != "" {
			in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(tt.region)}
		}
		if _, err := w.CreateBucket(ctx, in); code(err) != tt.want {
			t.Errorf("CreateBucket(%q, %q): got %s, want %s", tt.name, tt.region, code(err), tt.want)
		}
	}
	loc, err := w.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("b-two")})
	if err != nil || loc.LocationConstraint != "ap-south-1" {
		t.Errorf("GetBucketLocation = %+v, %v; want ap-south-1", loc, err)
	}
	list, err := w.ListBuckets(ctx, &s3.ListBucketsInput{MaxBuckets: aws.Int32(1)})
	if err != nil || len(list.Buckets) != 1 || *list.Buckets[0].Name != "b-one" || aws.ToString(list.ContinuationToken) == "" {
		t.Fatalf("ListBuckets(1) = %+v, %v; want b-one and a token", list, err)
	}
	list, err = w.ListBuckets(ctx, &s3.ListBucketsInput{ContinuationToken: list.ContinuationToken})
	if err != nil || len(list.Buckets) != 1 || *list.Buckets[0].Name != "b-two" || list.ContinuationToken != nil {
		t.Errorf("ListBuckets(token) = %+v, %v; want b-two alone", list, err)
	}
	tags := &types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}
	if _, err := w.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: aws.String("b-one")}); code(err) != "NoSuchTagSet" {
		t.Errorf("tags of a fresh bucket: %v; want NoSuchTagSet", err)
	}
	if _, err := w.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: aws.String("b-one"), Tagging: tags}); err != nil {
		t.Error(err)
	}
	if got, err := w.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: aws.String("b-one")}); err != nil || len(got.TagSet) != 1 || *got.TagSet[0].Value != "v" {
		t.Errorf("GetBucketTagging = %+v, %v; want k=v", got, err)
	}
	if _, err := w.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: aws.String("b-one")}); err != nil {
		t.Error(err)
	}
	if acl, err := w.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: aws.String("b-one")}); err != nil || acl.Grants[0].Permission != types.PermissionFullControl || *acl.Grants[0].Grantee.ID != "111122223333" {
		t.Errorf("GetBucketAcl = %+v, %v; want full control of the owner", acl, err)
	}
	if _, err := w.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String("b-one")}); code(err) != "NoSuchBucketPolicy" {
		t.Errorf("GetBucketPolicy: %v; want NoSuchBucketPolicy", err)
	}
	if _, err := w.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String("b-one"), Policy: aws.String("{}")}); code(err) != "NotImplemented" {
		t.Errorf("PutBucketPolicy: %v; want NotImplemented", err)
	}
	if v, err := w.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: aws.String("b-one")}); err != nil || v.Status != "" {
		t.Errorf("GetBucketVersioning = %+v, %v; want no status", v, err)
	}
	if head, err := w.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("b-two")}); err != nil || *head.BucketRegion != "ap-south-1" {
		t.Errorf("HeadBucket = %+v, %v; want ap-south-1", head, err)
	}
	if _, err := w.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("nix")}); code(err) != "NotFound" {
		t.Errorf("HeadBucket(nix): %v; want NotFound", err)
	}
}

// naive lists keys as S3's documentation says, one at a time.
func naive(keys []string, prefix, delimiter, after string) (out []string) {
	for _, k := range keys {
		if !strings.HasPrefix(k, prefix) || k <= after {
			continue
		}
		if delimiter != "" {
			if i := strings.Index(k[len(prefix):], delimiter); i >= 0 {
				k = k[:len(prefix)+i+len(delimiter)] + "*"
				if strings.TrimSuffix(k, "*") == after {
					continue
				}
			}
		}
		if len(out) == 0 || out[len(out)-1] != k {
			out = append(out, k)
		}
	}
	return out
}

func TestListsAgreeWithANaiveOne(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.bucket("bkt")
	rng := rand.New(rand.NewPCG(3, 4))
	atoms := []string{"a", "b", "/", "//", "é", "~", "+", " ", "\U0001F680", "&", "%", "a/"}
	set := map[string]bool{}
	for len(set) < 400 {
		var k strings.Builder
		for range 1 + rng.IntN(5) {
			k.WriteString(atoms[rng.IntN(len(atoms))])
		}
		set[k.String()] = true
	}
	for i := range 250 { // more below one prefix than a page reads at once
		set[fmt.Sprintf("many/%03d", i)] = true
	}
	var keys []string
	for k := range set {
		w.put("bkt", k, "")
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i := range 120 {
		prefix := []string{"", "", "a", "a/", "many/", "é", "nix"}[rng.IntN(7)]
		delimiter := []string{"", "/", "/", "//", "a", "é/"}[rng.IntN(6)]
		limit := int32([]int{1, 2, 7, 1000}[rng.IntN(4)])
		if limit < 7 && delimiter == "" {
			limit = 50 // or it takes long
		}
		after := ""
		if rng.IntN(3) == 0 {
			after = keys[rng.IntN(len(keys))]
			if c := naive([]string{after}, prefix, delimiter, ""); len(c) == 1 && strings.HasSuffix(c[0], "*") {
				after = "" // what S3 says of a start within a common prefix is not known
			}
		}
		want := naive(keys, prefix, delimiter, after)
		var got []string
		merge := func(objects []types.Object, prefixes []types.CommonPrefix) {
			var page []string
			for _, o := range objects {
				page = append(page, *o.Key)
			}
			for _, p := range prefixes {
				page = append(page, *p.Prefix+"*")
			}
			slices.SortFunc(page, func(a, b string) int {
				return strings.Compare(strings.TrimSuffix(a, "*"), strings.TrimSuffix(b, "*"))
			})
			if len(page) > int(limit) {
				t.Errorf("a page has %d items; want at most %d", len(page), limit)
			}
			got = append(got, page...)
		}
		if i%2 == 0 {
			pages := s3.NewListObjectsV2Paginator(w, &s3.ListObjectsV2Input{Bucket: aws.String("bkt"), Prefix: &prefix, Delimiter: &delimiter,
				MaxKeys: &limit, StartAfter: &after, EncodingType: ""})
			for pages.HasMorePages() {
				page, err := pages.NextPage(ctx)
				if err != nil {
					t.Fatal(err)
				}
				merge(page.Contents, page.CommonPrefixes)
			}
		} else {
			for marker, more := after, true; more; {
				page, err := w.ListObjects(ctx, &s3.ListObjectsInput{Bucket: aws.String("bkt"), Prefix: &prefix, Delimiter: &delimiter, MaxKeys: &limit, Marker: &marker})
				if err != nil {
					t.Fatal(err)
				}
				merge(page.Contents, page.CommonPrefixes)
				if more = *page.IsTruncated; more {
					marker = aws.ToString(page.NextMarker)
					if delimiter == "" {
						marker = *page.Contents[len(page.Contents)-1].Key
					}
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("list prefix %q delimiter %q limit %d after %q (-want +got):\n%s", prefix, delimiter, limit, after, diff)
		}
	}
}

func TestVersionPages(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.versioned("bkt")
	var want []string
	for _, key := range []string{"a", "b/1", "b/2", "c"} {
		var versions []string
		for range 3 {
			versions = append(versions, key+" "+w.put("bkt", key, "x"))
		}
		slices.Reverse(versions)
		want = append(want, versions...)
	}
	for limit := int32(1); limit < 14; limit++ {
		var got []string
		pages := s3.NewListObjectVersionsPaginator(w, &s3.ListObjectVersionsInput{Bucket: aws.String("bkt"), MaxKeys: &limit})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range page.Versions {
				got = append(got, *v.Key+" "+*v.VersionId)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("versions by pages of %d (-want +got):\n%s", limit, diff)
		}
	}
}

func TestPresigned(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.bucket("bkt")
	signer := s3.NewPresignClient(w.Client)
	put, err := signer.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("a b/é")})
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, http.MethodPut, put.URL, "presigned", nil); got != "200 " {
		t.Errorf("presigned PUT: %q; want 200", got)
	}
	get, err := signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("a b/é"), ResponseContentType: aws.String("x/z")})
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, http.MethodGet, get.URL, "", nil); got != "200 presigned" {
		t.Errorf("presigned GET: %q; want the content", got)
	}
	if got := do(t, http.MethodGet, strings.Replace(get.URL, "bkt", "bkx", 1), "", nil); !strings.Contains(got, "<Code>SignatureDoesNotMatch</Code>") {
		t.Errorf("presigned GET of another bucket: %q; want SignatureDoesNotMatch", got)
	}
	if got := do(t, http.MethodGet, w.url+"/bkt/k", "", nil); !strings.HasPrefix(got, "403 ") || !strings.Contains(got, "<Code>AccessDenied</Code>") {
		t.Errorf("unsigned GET: %q; want AccessDenied", got)
	}
}

// do returns the status and body of a plain request.
func do(t *testing.T, method, url, body string, header http.Header) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
		if name == "Host" {
			req.Host = values[0]
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Sprint(resp.StatusCode, " ", string(data), " then ", err)
	}
	return fmt.Sprint(resp.StatusCode, " ", string(data))
}

func TestPlainRequests(t *testing.T) {
	w := newWorld(t)
	w.door.Verifier = nil // whoever asks is admitted
	w.bucket("bkt")
	w.put("bkt", "k", "content")
	chunked := func(trailer string) (string, http.Header) {
		return "4\r\ncont\r\n3\r\nent\r\n0\r\n" + trailer + "\r\n", http.Header{
			"X-Amz-Content-Sha256": {"STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, "X-Amz-Decoded-Content-Length": {"7"},
			"Content-Encoding": {"aws-chunked,br"}, "X-Amz-Trailer": {"x-amz-checksum-crc32"}}
	}
	n := crc32.ChecksumIEEE([]byte("content"))
	goodBody, good := chunked("x-amz-checksum-crc32:" + base64of(byte(n>>24), byte(n>>16), byte(n>>8), byte(n)) + "\r\n")
	badBody, bad := chunked("x-amz-checksum-crc32:AAAAAA==\r\n")
	noneBody, none := chunked("")
	host := func(h string) http.Header { return http.Header{"Host": {h}} }
	for _, tt := range []struct {
		name, method, path, body string
		header                   http.Header
		want                     string
	}{
		{"trailing checksum", "PUT", "/bkt/t", goodBody, good, "200 "},
		{"what came in chunks", "GET", "/bkt/t", "", nil, "200 content"},
		{"wrong trailing checksum", "PUT", "/bkt/t2", badBody, bad, "400 <Code>BadDigest</Code>"},
		{"missing trailing checksum", "PUT", "/bkt/t2", noneBody, none, "400 <Code>InvalidRequest</Code>"},
		{"short chunks", "PUT", "/bkt/t2", "4\r\ncont", good, "400 <Code>IncompleteBody</Code>"},
		{"bucket in the host", "GET", "/k", "", host("bkt.localhost:9999"), "200 content"},
		{"bucket in the host below s3", "GET", "/k", "", host("bkt.s3.localhost"), "200 content"},
		{"host without bucket", "GET", "/bkt/k", "", host("s3.localhost"), "200 content"},
		{"no signed URL needed", "HEAD", "/bkt/k", "", nil, "200 "},
		{"error of HEAD has no body", "HEAD", "/bkt/nix", "", nil, "404 "},
		{"post to a key", "POST", "/bkt/k", "", nil, "405 <Code>MethodNotAllowed</Code>"},
		{"known, not served", "PUT", "/bkt?lifecycle", "", nil, "501 <Code>NotImplemented</Code>"},
		{"select", "POST", "/bkt/k?select&select-type=2", "", nil, "501 <Code>NotImplemented</Code>"},
		{"customer's key", "PUT", "/bkt/k", "", http.Header{"X-Amz-Server-Side-Encryption-Customer-Algorithm": {"AES256"}}, "501 <Code>NotImplemented</Code>"},
		{"long key", "PUT", "/bkt/" + strings.Repeat("k", 1025), "", nil, "400 <Code>KeyTooLongError</Code>"},
		{"key of other bytes", "PUT", "/bkt/%ff", "", nil, "400 <Code>InvalidURI</Code>"},
		{"key with a zero byte", "PUT", "/bkt/a%00b", "zero", nil, "200 "},
		{"key with a zero byte, read", "GET", "/bkt/a%00b", "", nil, "200 zero"},
		{"two checksums", "PUT", "/bkt/k", "", http.Header{"X-Amz-Checksum-Crc32": {"AAAAAA=="}, "X-Amz-Checksum-Sha1": {"x"}}, "400 <Code>InvalidRequest</Code>"},
		{"malformed MD5", "PUT", "/bkt/k", "", http.Header{"Content-Md5": {"x"}}, "400 <Code>InvalidDigest</Code>"},
		{"much metadata", "PUT", "/bkt/k", "", http.Header{"X-Amz-Meta-A": {strings.Repeat("x", 2048)}}, "400 <Code>MetadataTooLarge</Code>"},
		{"broken XML", "PUT", "/bkt?versioning", "<a", nil, "400 <Code>MalformedXML</Code>"},
		{"other status of versioning", "PUT", "/bkt?versioning", "<V><Status>On</Status></V>", nil, "400 <Code>IllegalVersioningConfigurationException</Code>"},
		{"bad max-keys", "GET", "/bkt?max-keys=x", "", nil, "400 <Code>InvalidArgument</Code>"},
		{"no keys wanted", "GET", "/bkt?max-keys=0", "", nil, "200 <IsTruncated>false</IsTruncated>"},
		{"bad token", "GET", "/bkt?list-type=2&continuation-token=%20", "", nil, "400 <Code>InvalidArgument</Code>"},
		{"empty version", "GET", "/bkt/k?versionId=", "", nil, "400 <Code>InvalidArgument</Code>"},
		{"overridden header", "GET", "/bkt/k?response-content-type=x/y", "", nil, "200 content"},
		{"if modified, not", "GET", "/bkt/k", "", http.Header{"If-None-Match": {"*"}}, "304 "},
		{"range", "GET", "/bkt/k", "", http.Header{"Range": {"bytes=1-2"}}, "206 on"},
		{"range with the right ETag", "GET", "/bkt/k", "", http.Header{"Range": {"bytes=1-2"}, "If-Range": {`"9a0364b9e99bb480dd25e1f0284c8555"`}}, "206 on"},
		{"range with another ETag", "GET", "/bkt/k", "", http.Header{"Range": {"bytes=1-2"}, "If-Range": {`"x"`}}, "200 content"},
		{"encoded keys", "GET", "/bkt?encoding-type=url&prefix=a%00", "", nil, "200 <Key>a%00b</Key>"},
	} {
		got := do(t, tt.method, w.url+tt.path, tt.body, tt.header)
		status, body, _ := strings.Cut(tt.want, " ")
		gotStatus, gotBody, _ := strings.Cut(got, " ")
		ok := gotStatus == status && gotBody == body
		if strings.HasPrefix(body, "<") {
			ok = gotStatus == status && strings.Contains(gotBody, body)
		}
		if !ok {
			t.Errorf("%s: %s %s: got %q, want %q", tt.name, tt.method, tt.path, got, tt.want)
		}
	}
	if got := w.get(&s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")}); got != "content" {
		t.Errorf("after refused writes: %q; want %q", got, "content")
	}
}

func TestDoorIsASource(t *testing.T) {
	w := newWorld(t)
	w.versioned("bkt")
	blobtest.Run(t, w.door, "bkt", func(key string, data []byte) string { return w.put("bkt", key, string(data)) })
}

// A reader of an object that is replaced meanwhile gets one or the other.
func TestReadersAndWritersAtOnce(t *testing.T) {
	w := newWorld(t)
	w.bucket("bkt")
	a, b := strings.Repeat("a", 200_000), strings.Repeat("b", 100_000)
	w.put("bkt", "k", a)
	done := make(chan bool)
	go func() {
		defer close(done)
		for i := range 100 {
			w.put("bkt", "k", []string{b, a}[i%2])
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		data, _, err := w.door.Fetch(t.Context(), "bkt", "k", "", 1<<20)
		if err != nil || string(data) != a && string(data) != b {
			t.Fatalf("Fetch = %d bytes, %v; want one content whole", len(data), err)
		}
		if got := w.get(&s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")}); got != a && got != b {
			t.Fatalf("GetObject: %d bytes, %.50q; want one content whole", len(got), got)
		}
	}
	if n := w.files(); n != 1 {
		t.Errorf("%d contents on disk; want 1", n)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("GET", "/bkt/k", "", "Range", "bytes=0-", "")
	f.Add("PUT", "/bkt/k", "uploadId=x&partNumber=1", "x-amz-copy-source", "bkt/k?versionId=null", "")
	f.Add("POST", "/bkt", "delete", "Content-MD5", "x", "<Delete><Object><Key>k</Key></Object></Delete>")
	f.Add("GET", "/bkt", "list-type=2&prefix=a&delimiter=/&start-after=a/&max-keys=3", "x-amz-acl", "private", "")
	f.Add("GET", "/bkt", "versions&key-marker=k&version-id-marker=null", "If-Match", "*", "")
	f.Add("PUT", "/bkt/k", "tagging", "x-amz-tagging", "a=b", "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>")
	f.Add("PUT", "/bkt/k", "", "x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "1\r\na\r\n0\r\n\r\n")
	dir := f.TempDir()
	db, err := store.Open(f.Context(), filepath.Join(dir, "rows.db"))
	if err != nil {
		f.Fatal(err)
	}
	contents, err := file.Open(filepath.Join(dir, "contents"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { contents.Close(); db.Close() })
	door := s3door.New(s3door.Config{Index: db, Contents: contents, Region: "us-east-1"})
	ask := func(method, path, query, name, value, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.URL.Path, r.URL.RawQuery = method, path, query
		r.Header.Set(name, value)
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		return w
	}
	f.Fuzz(func(t *testing.T, method, path, query, name, value, body string) {
		ask("PUT", "/bkt", "", "x", "y", "")
		ask("PUT", "/bkt/k", "", "x", "y", "content")
		if w := ask(method, path, query, name, value, body); w.Code == http.StatusInternalServerError {
			t.Errorf("%s %q?%q with %q: %q and body %q: status 500: %s", method, path, query, name, value, body, w.Body)
		}
	})
}
