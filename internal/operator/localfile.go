package operator

import (
	"compress/gzip"
	"context"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// maxFile bounds a file that is sent in one request, as S3 does.
const maxFile = 5 << 30

// uploadFile sends a file that the task can see, such as one of its code
// package, to S3.
func uploadFile(ctx context.Context, a *action, c *s3.Client) error {
	name := a.needed("filename")
	bucket, key := a.object("dest_bucket", "dest_key")
	acl := a.text("acl_policy")
	if a.err != nil {
		return a.err
	}
	if !a.flag("replace") {
		if err := absentKey(ctx, c, &bucket, &key); err != nil {
			return err
		}
	}
	f, err := os.Open(name)
	if err != nil {
		return Errorf("%v", err)
	}
	defer f.Close()
	if a.flag("gzip") {
		packed, err := compressed(f)
		if err != nil {
			return Errorf("compress %s: %v", name, err)
		}
		defer packed.Close()
		f = packed
	}
	about, err := f.Stat()
	switch {
	case err != nil:
		return Errorf("%v", err)
	case !about.Mode().IsRegular():
		return Errorf("%s is no regular file", name)
	case about.Size() > maxFile:
		return Errorf("%s has %d bytes; at most %d can be sent", name, about.Size(), int64(maxFile))
	}
	in := &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: f, ACL: types.ObjectCannedACL(acl)}
	if a.flag("encrypt") {
		in.ServerSideEncryption = types.ServerSideEncryptionAes256
	}
	out, err := c.PutObject(ctx, in)
	if err != nil {
		return callError(err)
	}
	a.log("info", "Wrote %d bytes of %s to s3://%s/%s (request id %s)", about.Size(), name, bucket, key, requestID(out.ResultMetadata))
	return nil
}

// compressed returns a file without a name that has the compressed text of f.
func compressed(f *os.File) (*os.File, error) {
	packed, err := os.CreateTemp("", "upload")
	if err != nil {
		return nil, err
	}
	err = os.Remove(packed.Name())
	if err == nil {
		w := gzip.NewWriter(packed)
		if _, err = io.Copy(w, f); err == nil {
			err = w.Close()
		}
	}
	if err == nil {
		_, err = packed.Seek(0, io.SeekStart)
	}
	if err != nil {
		packed.Close()
		return nil, err
	}
	return packed, nil
}
