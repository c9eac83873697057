package operator

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// s3Act returns what an S3 operator does.
func s3Act(class string) act {
	var do func(context.Context, *action, *s3.Client) error
	switch class {
	case "S3CreateBucketOperator":
		do = createBucket
	case "S3DeleteBucketOperator":
		do = deleteBucket
	case "S3GetBucketTaggingOperator":
		do = getBucketTagging
	case "S3PutBucketTaggingOperator":
		do = putBucketTagging
	case "S3DeleteBucketTaggingOperator":
		do = deleteBucketTagging
	case "S3CreateObjectOperator":
		do = createObject
	case "S3CopyObjectOperator":
		do = copyObject
	case "S3DeleteObjectsOperator":
		do = deleteObjects
	case "S3ListOperator":
		do = listKeys
	case "S3ListPrefixesOperator":
		do = listPrefixes
	case "LocalFilesystemToS3Operator":
		do = uploadFile
	case "SqlToS3Operator":
		do = uploadQuery
	case "HttpToS3Operator":
		do = uploadAnswer
	default:
		return nil
	}
	return func(ctx context.Context, a *action) error {
		client, err := a.aws.forS3(ctx, place{})
		if err != nil {
			return err
		}
		return do(ctx, a, client)
	}
}

// hasBucket reports whether the bucket exists and may be looked at; as in
// Airflow, one that may not counts as absent.
func hasBucket(ctx context.Context, a *action, c *s3.Client, bucket string) (bool, error) {
	_, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
	switch statusOf(err) {
	case 404:
		a.log("info", "Bucket %q does not exist", bucket)
		return false, nil
	case 403:
		a.log("error", "Access to bucket %q is forbidden or there was an error with the request", bucket)
		return false, nil
	}
	return err == nil, callError(err)
}

func createBucket(ctx context.Context, a *action, c *s3.Client) error {
	bucket, namespace := a.needed("bucket_name"), a.text("bucket_namespace")
	if a.err != nil {
		return a.err
	}
	if there, err := hasBucket(ctx, a, c, bucket); err != nil {
		return err
	} else if there {
		a.log("info", "Bucket with name: %s already exists", bucket)
		return nil
	}
	in := &s3.CreateBucketInput{Bucket: &bucket, BucketNamespace: types.BucketNamespace(namespace)}
	if region := c.Options().Region; region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{
			LocationConstraint: types.BucketLocationConstraint(region),
		}
	}
	out, err := c.CreateBucket(ctx, in)
	if err != nil {
		return callError(err)
	}
	a.log("info", "Created bucket with name: %s (request id %s)", bucket, requestID(out.ResultMetadata))
	return nil
}

// Emptying a bucket that others still write to is tried a few times, with the
// provider's pause between them.
const (
	emptyRounds = 5
	emptyPause  = 500 * time.Second
)

func deleteBucket(ctx context.Context, a *action, c *s3.Client) error {
	bucket, force := a.needed("bucket_name"), a.flag("force_delete")
	if a.err != nil {
		return a.err
	}
	if there, err := hasBucket(ctx, a, c, bucket); err != nil {
		return err
	} else if !there {
		a.log("info", "Bucket with name: %s doesn't exist", bucket)
		return nil
	}
	for round := 0; force && round < emptyRounds; round++ {
		if round > 0 {
			timer := time.NewTimer(emptyPause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return context.Cause(ctx)
			case <-timer.C:
			}
		}
		keys, err := keysUnder(ctx, c, bucket, "", nil)
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			if err := removeKeys(ctx, a, c, bucket, keys); err != nil {
				return err
			}
		}
		// The provider pauses before it looks again; one look at once spares
		// the usual case, a bucket that nobody writes to, the wait.
		first, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: aws.Int32(1)})
		if err != nil {
			return callError(err)
		}
		if len(first.Contents) == 0 {
			break
		}
		a.log("warning", "Bucket %s has new objects in it; trying again", bucket)
	}
	out, err := c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket})
	if err != nil {
		return callError(err)
	}
	a.log("info", "Deleted bucket with name: %s (request id %s)", bucket, requestID(out.ResultMetadata))
	return nil
}

// taggable looks for the bucket of a tagging operator and warns without one.
func taggable(ctx context.Context, a *action, c *s3.Client) (string, bool, error) {
	bucket := a.needed("bucket_name")
	if a.err != nil {
		return "", false, a.err
	}
	there, err := hasBucket(ctx, a, c, bucket)
	if err == nil && !there {
		a.log("warning", "Bucket with name: %s doesn't exist", bucket)
	}
	return bucket, there, err
}

func getBucketTagging(ctx context.Context, a *action, c *s3.Client) error {
	bucket, there, err := taggable(ctx, a, c)
	if err != nil || !there {
		return err
	}
	out, err := c.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &bucket})
	if err != nil {
		return callError(err)
	}
	a.log("info", "Getting tags for bucket %s (request id %s)", bucket, requestID(out.ResultMetadata))
	type tag struct{ Key, Value string }
	tags := []tag{}
	for _, t := range out.TagSet {
		tags = append(tags, tag{aws.ToString(t.Key), aws.ToString(t.Value)})
	}
	a.publish(tags)
	return nil
}

func putBucketTagging(ctx context.Context, a *action, c *s3.Client) error {
	tags, err := a.tags()
	if err != nil {
		return err
	}
	bucket, there, err := taggable(ctx, a, c)
	if err != nil || !there {
		return err
	}
	out, err := c.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: &bucket, Tagging: &types.Tagging{TagSet: tags}})
	if err != nil {
		return callError(err)
	}
	a.log("info", "Put %d tags on bucket %s (request id %s)", len(tags), bucket, requestID(out.ResultMetadata))
	return nil
}

// tags gathers tag_set, key and value.
func (a *action) tags() ([]types.Tag, error) {
	if a.has("key") != a.has("value") {
		return nil, Errorf("%s: key and value must be given together", a.spec.Class)
	}
	var tags []types.Tag
	if v := a.raw("tag_set"); v != nil {
		pairs, err := tagPairs(v)
		if err != nil {
			a.wrong("tag_set", "a mapping of texts or a list of {Key, Value}", v)
			return nil, a.err
		}
		for _, p := range pairs {
			tags = append(tags, types.Tag{Key: &p[0], Value: &p[1]})
		}
	}
	if a.has("key") {
		tags = append(tags, types.Tag{Key: aws.String(a.text("key")), Value: aws.String(a.text("value"))})
	}
	return tags, a.err
}

func deleteBucketTagging(ctx context.Context, a *action, c *s3.Client) error {
	bucket, there, err := taggable(ctx, a, c)
	if err != nil || !there {
		return err
	}
	out, err := c.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: &bucket})
	if err != nil {
		return callError(err)
	}
	a.log("info", "Deleted the tags of bucket %s (request id %s)", bucket, requestID(out.ResultMetadata))
	return nil
}

func createObject(ctx context.Context, a *action, c *s3.Client) error {
	bucket, key := a.object("s3_bucket", "s3_key")
	text, encoding, compression := a.text("data"), a.text("encoding"), a.text("compression")
	replace, encrypt, acl := a.flag("replace"), a.flag("encrypt"), a.text("acl_policy")
	if a.err != nil {
		return a.err
	}
	body, err := encodeText(text, encoding)
	if err != nil {
		return err
	}
	switch compression {
	case "":
	case "gzip":
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(body) // a buffer takes everything
		w.Close()
		body = b.Bytes()
	default:
		return Errorf("Received %s compression type. String can currently be compressed in gzip only.", clip(compression, 80))
	}
	in := &s3.PutObjectInput{Bucket: &bucket, Key: &key, ACL: types.ObjectCannedACL(acl)}
	if encrypt {
		in.ServerSideEncryption = types.ServerSideEncryptionAes256
	}
	return putObject(ctx, a, c, in, body, replace)
}

// putObject writes an object, and fails for one that is there unless it is to
// be replaced.
func putObject(ctx context.Context, a *action, c *s3.Client, in *s3.PutObjectInput, body []byte, replace bool) error {
	if !replace {
		if err := absentKey(ctx, c, in.Bucket, in.Key); err != nil {
			return err
		}
	}
	in.Body = bytes.NewReader(body)
	out, err := c.PutObject(ctx, in)
	if err != nil {
		return callError(err)
	}
	a.log("info", "Wrote %d bytes to s3://%s/%s (request id %s)", len(body), *in.Bucket, *in.Key, requestID(out.ResultMetadata))
	return nil
}

// absentKey fails for an object that is there.
func absentKey(ctx context.Context, c *s3.Client, bucket, key *string) error {
	switch _, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key}); {
	case err == nil:
		return Errorf("The key %s already exists.", *key)
	case statusOf(err) != 404:
		return callError(err)
	}
	return nil
}

// encodeText returns the text in a Python codec.
func encodeText(s, codec string) ([]byte, error) {
	limit := rune(0)
	switch strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(codec)) {
	case "", "utf8":
		return []byte(s), nil
	case "utf8sig":
		return []byte("\ufeff" + s), nil
	case "utf16":
		b := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return b, nil
	case "ascii", "usascii":
		limit = 0x80
	case "latin1", "iso88591":
		limit = 0x100
	default:
		return nil, Errorf("unknown encoding: %s", clip(codec, 80))
	}
	var b []byte
	for _, r := range s {
		if r >= limit {
			return nil, Errorf("%q cannot be written in %s", r, codec)
		}
		b = append(b, byte(r))
	}
	return b, nil
}

func copyObject(ctx context.Context, a *action, c *s3.Client) error {
	fromBucket, fromKey := a.object("source_bucket_name", "source_bucket_key")
	toBucket, toKey := a.object("dest_bucket_name", "dest_bucket_key")
	version, acl, directive := a.text("source_version_id"), a.text("acl_policy"), a.text("meta_data_directive")
	if a.err != nil {
		return a.err
	}
	// A plus sign in this header means a space, which PathEscape ignores.
	source := fromBucket + "/" + strings.NewReplacer("%2F", "/", "+", "%2B").Replace(url.PathEscape(fromKey))
	if version != "" {
		source += "?versionId=" + url.QueryEscape(version)
	}
	in := &s3.CopyObjectInput{
		Bucket: &toBucket, Key: &toKey, CopySource: &source,
		ACL: types.ObjectCannedACLPrivate, MetadataDirective: types.MetadataDirective(directive),
	}
	switch acl {
	case "":
	case "no-acl":
		in.ACL = ""
	default:
		in.ACL = types.ObjectCannedACL(acl)
	}
	out, err := c.CopyObject(ctx, in)
	if err != nil {
		return callError(err)
	}
	a.log("info", "Copied s3://%s/%s to s3://%s/%s (request id %s)", fromBucket, fromKey, toBucket, toKey, requestID(out.ResultMetadata))
	return nil
}

func deleteObjects(ctx context.Context, a *action, c *s3.Client) error {
	bucket, prefix := a.needed("bucket"), a.text("prefix")
	keys, named := a.texts("keys")
	from, to := a.moment("from_datetime"), a.moment("to_datetime")
	if a.err != nil {
		return a.err
	}
	if searched := a.has("prefix") || a.has("from_datetime") || a.has("to_datetime"); named == searched {
		return Errorf("Either keys or at least one of prefix, from_datetime, to_datetime should be set.")
	}
	if !named {
		var err error
		keys, err = keysUnder(ctx, c, bucket, prefix, func(o types.Object) bool {
			at := aws.ToTime(o.LastModified)
			return (from.IsZero() || at.After(from)) && (to.IsZero() || !at.After(to))
		})
		if err != nil {
			return err
		}
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == "" })
	if len(keys) == 0 {
		a.log("info", "No keys to delete in bucket %s", bucket)
		return nil
	}
	return removeKeys(ctx, a, c, bucket, keys)
}

// removeKeys deletes keys, as many at once as the service takes.
func removeKeys(ctx context.Context, a *action, c *s3.Client, bucket string, keys []string) error {
	var bad []string
	for chunk := range slices.Chunk(keys, 1000) {
		ids := make([]types.ObjectIdentifier, len(chunk))
		for i := range chunk {
			ids[i].Key = &chunk[i]
		}
		out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return callError(err)
		}
		for _, e := range out.Errors {
			bad = append(bad, fmt.Sprintf("%s (%s)", aws.ToString(e.Key), aws.ToString(e.Code)))
		}
		a.log("info", "Deleted %d keys from bucket %s (request id %s)", len(chunk)-len(out.Errors), bucket, requestID(out.ResultMetadata))
	}
	if len(bad) > 0 {
		return Errorf("Errors when deleting: %s", clip(strings.Join(bad, ", "), 4000))
	}
	return nil
}

func listKeys(ctx context.Context, a *action, c *s3.Client) error {
	bucket, prefix, delimiter := a.needed("bucket"), a.text("prefix"), a.text("delimiter")
	wildcard := a.flag("apply_wildcard")
	if a.err != nil {
		return a.err
	}
	under, match := prefix, func(string) bool { return true }
	if before, _, found := strings.Cut(prefix, "*"); wildcard && found {
		m, err := fnmatch(prefix)
		if err != nil {
			return err
		}
		under, match = before, m
	}
	a.log("info", "Getting the list of files from bucket: %s in prefix: %s (Delimiter %s)", bucket, prefix, delimiter)
	keys := []string{}
	err := pages(ctx, c, bucket, under, delimiter, func(out *s3.ListObjectsV2Output) bool {
		for _, o := range out.Contents {
			if k := aws.ToString(o.Key); match(k) {
				keys = append(keys, k)
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	a.log("info", "Found %d keys in bucket %s", len(keys), bucket)
	a.publish(keys)
	return nil
}

func listPrefixes(ctx context.Context, a *action, c *s3.Client) error {
	bucket, prefix, delimiter := a.needed("bucket"), a.text("prefix"), a.text("delimiter")
	if a.err != nil {
		return a.err
	}
	a.log("info", "Getting the list of subfolders from bucket: %s in prefix: %s (Delimiter %s)", bucket, prefix, delimiter)
	prefixes := []string{}
	err := pages(ctx, c, bucket, prefix, delimiter, func(out *s3.ListObjectsV2Output) bool {
		for _, p := range out.CommonPrefixes {
			prefixes = append(prefixes, aws.ToString(p.Prefix))
		}
		return true
	})
	if err != nil {
		return err
	}
	a.log("info", "Found %d prefixes in bucket %s", len(prefixes), bucket)
	a.publish(prefixes)
	return nil
}

// pages lists a bucket page by page while more says so.
func pages(ctx context.Context, c *s3.Client, bucket, prefix, delimiter string,
	more func(*s3.ListObjectsV2Output) bool, opts ...func(*s3.Options)) error {
	in := &s3.ListObjectsV2Input{Bucket: &bucket}
	if prefix != "" {
		in.Prefix = &prefix
	}
	if delimiter != "" {
		in.Delimiter = &delimiter
	}
	p := s3.NewListObjectsV2Paginator(c, in)
	for p.HasMorePages() {
		out, err := p.NextPage(ctx, opts...)
		if err != nil {
			return callError(err)
		}
		if !more(out) {
			break
		}
	}
	return nil
}

// keysUnder lists the keys with a prefix that keep lets through; nil keeps
// all.
func keysUnder(ctx context.Context, c *s3.Client, bucket, prefix string, keep func(types.Object) bool) ([]string, error) {
	var keys []string
	err := pages(ctx, c, bucket, prefix, "", func(out *s3.ListObjectsV2Output) bool {
		for _, o := range out.Contents {
			if keep == nil || keep(o) {
				keys = append(keys, aws.ToString(o.Key))
			}
		}
		return true
	})
	return keys, err
}
