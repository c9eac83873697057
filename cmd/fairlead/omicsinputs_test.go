package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const readers = `version development
task tree {
  input { Directory d }
  command <<< (cd ~{d} && find . -type f | LC_ALL=C sort | while read -r f; do echo "$f $(cat "$f")"; done) > seen >>>
  output { Array[String] seen = read_lines("seen") }
}
task sum {
  input { File f }
  command <<< wc -c < ~{f} > bytes >>>
  output { Int bytes = read_int("bytes") }
}
workflow main {
  input { Directory? d  File? f }
  if (defined(d)) { call tree { input: d = select_first([d]) } }
  if (defined(f)) { call sum { input: f = select_first([f]) } }
  output { Array[String]? seen = tree.seen  Int? bytes = sum.bytes }
}`

// TestOmicsInputs brings directories from S3 and from this machine, and an object
// that was uploaded in parts.
func TestOmicsInputs(t *testing.T) {
	l := newLab(t, func(o *options) { o.localFiles = true })
	l.upload("in/tree/a.txt", "1\n")
	l.upload("in/tree/deep/b.txt", "2\n")
	l.upload("in/treetop/c.txt", "of another directory\n")
	l.upload("in/tree/empty/", "")
	here := t.TempDir()
	if err := os.MkdirAll(filepath.Join(here, "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"a.txt": "1\n", "deep/b.txt": "2\n"} {
		if err := os.WriteFile(filepath.Join(here, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	size := l.parts("in/large", 3)
	w := l.wdl(readers)
	for _, tt := range []struct {
		params object
		want   string // outputs.json without spaces
	}{
		{object{"d": "s3://data/in/tree/"}, `{"main.seen":["./a.txt1","./deep/b.txt2"],"main.bytes":null}`},
		{object{"d": "file://" + here}, `{"main.seen":["./a.txt1","./deep/b.txt2"],"main.bytes":null}`},
		{object{"f": "s3://data/in/large"}, fmt.Sprintf(`{"main.seen":null,"main.bytes":%d}`, size)},
	} {
		id := l.begin(object{"workflowId": w, "parameters": tt.params})
		r := l.ends(id)
		if r["status"] != "COMPLETED" {
			t.Errorf("%v: %v", tt.params, r)
			continue
		}
		if got := strings.Join(strings.Fields(l.object("out/"+id+"/logs/outputs.json")), ""); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.params, got, tt.want)
		}
		if digests, _ := r["resourceDigests"].(object); tt.params["f"] != nil && !strings.HasSuffix(fmt.Sprint(digests["s3://data/in/large"]), "-3") {
			t.Errorf("digests of an object of three parts: %v", digests)
		}
	}
	for uri, want := range map[string]string{
		"s3://data/nothing/": "INPUT_URI_NOT_FOUND", "s3://no-such-bucket/x/": "INPUT_URI_NOT_FOUND", "file:///no/such/directory": "INPUT_URI_NOT_FOUND",
		"https://example.com/x/": "INVALID_URI_INPUT",
	} {
		r := l.ends(l.begin(object{"workflowId": w, "parameters": object{"d": uri}}))
		if r["failureReason"] != want || !strings.Contains(fmt.Sprint(r["statusMessage"]), "parameter d: ") {
			t.Errorf("%s: %v %v, want %s of parameter d", uri, r["failureReason"], r["statusMessage"], want)
		}
	}
}

// parts uploads an object in some parts and returns its size.
func (c omicsClient) parts(key string, n int32) int {
	c.t.Helper()
	up, err := c.s3.CreateMultipartUpload(c.t.Context(), &awss3.CreateMultipartUploadInput{Bucket: aws.String("data"), Key: &key})
	if err != nil {
		c.t.Fatal(err)
	}
	size := 0
	var done []s3types.CompletedPart
	for i := int32(1); i <= n; i++ {
		part := bytes.Repeat([]byte{byte('a' + i)}, 5<<20)
		out, err := c.s3.UploadPart(c.t.Context(), &awss3.UploadPartInput{Bucket: aws.String("data"), Key: &key, UploadId: up.UploadId, PartNumber: &i, Body: bytes.NewReader(part)})
		if err != nil {
			c.t.Fatal(err)
		}
		size += len(part)
		done = append(done, s3types.CompletedPart{ETag: out.ETag, PartNumber: aws.Int32(i), ChecksumCRC32: out.ChecksumCRC32})
	}
	if _, err := c.s3.CompleteMultipartUpload(c.t.Context(), &awss3.CompleteMultipartUploadInput{
		Bucket: aws.String("data"), Key: &key, UploadId: up.UploadId, MultipartUpload: &s3types.CompletedMultipartUpload{Parts: done},
	}); err != nil {
		c.t.Fatal(err)
	}
	return size
}
