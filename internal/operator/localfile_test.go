package operator

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

func TestUploadFile(t *testing.T) {
	w := newWorld(t)
	w.bucket("bkt", "there")
	name := filepath.Join(t.TempDir(), "data.txt")
	if err := os.WriteFile(name, []byte("some text"), 0o600); err != nil {
		t.Fatal(err)
	}
	upload := func(args ...any) ran {
		c := call("airflow.providers.amazon.aws.transfers.local_to_s3.LocalFilesystemToS3Operator", append([]any{"filename", name}, args...)...)
		c.Env = map[string]string{"AWS_ACCESS_KEY_ID": someKeys.AccessKeyID, "AWS_SECRET_ACCESS_KEY": someKeys.SecretAccessKey}
		return run(t, w.o, c)
	}
	expect(t, "upload", upload("dest_key", "a", "dest_bucket", "bkt"), flow.Success, "", "")
	if got := w.text("bkt", "a"); got != "some text" {
		t.Errorf("the object is %q, want the text of the file", got)
	}
	expect(t, "a key that exists", upload("dest_key", "s3://bkt/there"), flow.Failure, "The key there already exists.", "")
	expect(t, "replace", upload("dest_key", "s3://bkt/there", "replace", true, "gzip", true, "encrypt", true), flow.Success, "", "")
	r, err := gzip.NewReader(strings.NewReader(w.text("bkt", "there")))
	if err != nil {
		t.Fatalf("the compressed object: %v", err)
	}
	if got, err := io.ReadAll(r); string(got) != "some text" || err != nil {
		t.Errorf("the compressed object has %q, %v, want the text of the file", got, err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	expect(t, "no file", upload("dest_key", "b", "dest_bucket", "bkt"), flow.Failure, "no such file", "")
}
