package s3_test

import (
	"bytes"
	"net/http/httptest"
	"testing"

	"fairlead/internal/blob"
	"fairlead/internal/blob/blobtest"
	"fairlead/internal/blob/s3"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

var _ blob.Source = (*s3.Source)(nil)

func TestOutsideS3(t *testing.T) {
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	src, err := s3.New(t.Context(), server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	client := sdk.New(sdk.Options{BaseEndpoint: &server.URL, UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")})
	bucket := aws.String("bkt")
	if _, err := client.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	_, err = client.PutBucketVersioning(t.Context(), &sdk.PutBucketVersioningInput{Bucket: bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	if err != nil {
		t.Fatal(err)
	}
	blobtest.Run(t, src, "bkt", func(key string, data []byte) string {
		out, err := client.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader(data)})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(out.VersionId)
	})
}
