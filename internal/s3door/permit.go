package s3door

import "context"

// actions are those of IAM that an operation needs on what its address names.
var actions = map[string]string{
	"GET service": "ListAllMyBuckets",

	"PUT bucket":                   "CreateBucket",
	"HEAD bucket":                  "ListBucket",
	"DELETE bucket":                "DeleteBucket",
	"GET bucket location":          "GetBucketLocation",
	"GET bucket versioning":        "GetBucketVersioning",
	"PUT bucket versioning":        "PutBucketVersioning",
	"GET bucket tagging":           "GetBucketTagging",
	"PUT bucket tagging":           "PutBucketTagging",
	"DELETE bucket tagging":        "PutBucketTagging",
	"GET bucket acl":               "GetBucketAcl",
	"PUT bucket acl":               "PutBucketAcl",
	"GET bucket":                   "ListBucket",
	"GET bucket versions":          "ListBucketVersions",
	"GET bucket uploads":           "ListBucketMultipartUploads",
	"POST bucket delete":           "", // asked for each key
	"GET bucket logging":           "GetBucketLogging",
	"GET bucket notification":      "GetBucketNotification",
	"GET bucket accelerate":        "GetAccelerateConfiguration",
	"GET bucket policy":            "GetBucketPolicy",
	"GET bucket cors":              "GetBucketCORS",
	"GET bucket lifecycle":         "GetLifecycleConfiguration",
	"GET bucket website":           "GetBucketWebsite",
	"GET bucket encryption":        "GetEncryptionConfiguration",
	"GET bucket replication":       "GetReplicationConfiguration",
	"GET bucket object-lock":       "GetBucketObjectLockConfiguration",
	"GET bucket policyStatus":      "GetBucketPolicyStatus",
	"GET bucket requestPayment":    "GetBucketRequestPayment",
	"GET bucket publicAccessBlock": "GetBucketPublicAccessBlock",
	"GET bucket ownershipControls": "GetBucketOwnershipControls",

	"PUT object":             "PutObject",
	"GET object":             "GetObject",
	"HEAD object":            "GetObject",
	"DELETE object":          "DeleteObject",
	"GET object tagging":     "GetObjectTagging",
	"PUT object tagging":     "PutObjectTagging",
	"DELETE object tagging":  "DeleteObjectTagging",
	"GET object acl":         "GetObjectAcl",
	"PUT object acl":         "PutObjectAcl",
	"GET object attributes":  "GetObject",
	"POST object uploads":    "PutObject",
	"PUT object uploadId":    "PutObject",
	"GET object uploadId":    "ListMultipartUploadParts",
	"POST object uploadId":   "PutObject",
	"DELETE object uploadId": "AbortMultipartUpload",
	"GET object retention":   "GetObjectRetention",
	"GET object legal-hold":  "GetObjectLegalHold",
}

// versioned are the actions that have another name where a version is asked
// for.
var versioned = map[string]string{
	"GetObject": "GetObjectVersion", "DeleteObject": "DeleteObjectVersion", "GetObjectAcl": "GetObjectVersionAcl", "PutObjectAcl": "PutObjectVersionAcl",
	"GetObjectTagging": "GetObjectVersionTagging", "PutObjectTagging": "PutObjectVersionTagging", "DeleteObjectTagging": "DeleteObjectVersionTagging",
}

// permit asks whether the caller may do an action to a version of an object,
// or, without a key, to a bucket.
func (d *Door) permit(ctx context.Context, action, bucket, key, version string) error {
	if d.Permit == nil {
		return nil
	}
	resource := "*"
	if bucket != "" {
		resource = "arn:aws:s3:::" + bucket
	}
	if key != "" {
		resource += "/" + key
	}
	if v := versioned[action]; v != "" && version != "" {
		action = v
	}
	return d.Permit(ctx, "s3:"+action, resource)
}

// permitAll asks for all that an operation needs by its name and headers.
func (d *Door) permitAll(ctx context.Context, name string, r *request) error {
	if d.Permit == nil || actions[name] == "" {
		return nil
	}
	need := []string{actions[name]}
	if need[0] == "PutObject" && r.Header.Get("x-amz-tagging") != "" {
		need = append(need, "PutObjectTagging")
	}
	if need[0] == "PutObject" && r.Header.Get("x-amz-acl") != "" {
		need = append(need, "PutObjectAcl")
	}
	for _, action := range need {
		if err := d.permit(ctx, action, r.bucket, r.key, r.query.Get("versionId")); err != nil {
			return err
		}
	}
	return nil
}
