package s3door_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"fairlead/internal/flow"
)

// TestPermit does things as a caller who may do one of them at a time.
func TestPermit(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	var mu sync.Mutex
	var asked []string
	allowed := ""
	w.door.Permit = func(_ context.Context, action, resource string) error {
		mu.Lock()
		defer mu.Unlock()
		what := action + " " + resource
		asked = append(asked, what)
		if allowed == "" || strings.Contains(what, allowed) {
			return nil
		}
		return flow.Errorf(flow.Denied, "User: me is not authorized to perform: %s", what)
	}
	bucket, key := aws.String("data"), aws.String("a/b")
	for _, tt := range []struct {
		name string
		want []string
		call func() error
	}{
		{"ListBuckets", []string{"s3:ListAllMyBuckets *"}, func() error { _, err := w.ListBuckets(ctx, nil); return err }},
		{"CreateBucket", []string{"s3:CreateBucket arn:aws:s3:::data"}, func() error {
			_, err := w.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
			return err
		}},
		{"PutObject", []string{"s3:PutObject arn:aws:s3:::data/a/b"}, func() error {
			_, err := w.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("x")})
			return err
		}},
		{"PutObject with an ACL", []string{"s3:PutObject arn:aws:s3:::data/a/b", "s3:PutObjectAcl arn:aws:s3:::data/a/b"}, func() error {
			_, err := w.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("x"), ACL: types.ObjectCannedACLPrivate})
			return err
		}},
		{"GetObject", []string{"s3:GetObject arn:aws:s3:::data/a/b"}, func() error {
			_, err := w.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
			return err
		}},
		{"a version", []string{"s3:GetObjectVersion arn:aws:s3:::data/a/b"}, func() error {
			_, err := w.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, VersionId: aws.String("null")})
			return err
		}},
		{"ListObjectsV2", []string{"s3:ListBucket arn:aws:s3:::data"}, func() error {
			_, err := w.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
			return err
		}},
		{"CopyObject", []string{"s3:PutObject arn:aws:s3:::data/copy", "s3:GetObject arn:aws:s3:::data/a/b"}, func() error {
			_, err := w.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("copy"), CopySource: aws.String("data/a/b")})
			return err
		}},
	} {
		mu.Lock()
		asked, allowed = nil, ""
		mu.Unlock()
		if err := tt.call(); err != nil {
			t.Fatalf("%s, with everything permitted: %v", tt.name, err)
		}
		if !slices.Equal(asked, tt.want) {
			t.Errorf("%s asks for %q, want %q", tt.name, asked, tt.want)
		}
		for i := range tt.want {
			mu.Lock()
			allowed = "nothing"
			if i > 0 {
				allowed = tt.want[0]
			}
			mu.Unlock()
			var e smithy.APIError
			if err := tt.call(); !errors.As(err, &e) || e.ErrorCode() != "AccessDenied" || !strings.Contains(e.ErrorMessage(), tt.want[i]) {
				t.Errorf("%s, with %q permitted: %v; want AccessDenied for %s", tt.name, allowed, err, tt.want[i])
			}
		}
	}

	mu.Lock()
	allowed = "s3:DeleteObject arn:aws:s3:::data/copy"
	mu.Unlock()
	out, err := w.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: key}, {Key: aws.String("copy")}}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Deleted) != 1 || len(out.Errors) != 1 || *out.Errors[0].Key != *key || *out.Errors[0].Code != "AccessDenied" {
		t.Errorf("DeleteObjects with one key permitted: deleted %d, errors %+v; want one of each", len(out.Deleted), out.Errors)
	}
}
