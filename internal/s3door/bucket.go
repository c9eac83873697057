package s3door

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// badBucketName says what is wrong with a bucket's name, or nothing.
func badBucketName(name string) string {
	switch {
	case len(name) < 3 || len(name) > 63:
		return "a name has 3 to 63 characters"
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || strings.ContainsFunc(name, notBucketRune):
		return "a name has lower case letters, digits, dots and hyphens"
	case !alnum(name[0]) || !alnum(name[len(name)-1]):
		return "a name begins and ends with a letter or digit"
	case strings.Contains(name, ".."):
		return "a name has no two dots in a row"
	case net.ParseIP(name) != nil:
		return "a name must not look like an IP address"
	}
	for _, p := range []string{"xn--", "sthree-"} {
		if strings.HasPrefix(name, p) {
			return "a name must not begin with " + p
		}
	}
	for _, s := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(name, s) {
			return "a name must not end with " + s
		}
	}
	return ""
}

func notBucketRune(c rune) bool {
	return !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-')
}

func alnum(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// bucketInfo is what the door keeps with a bucket.
type bucketInfo struct {
	Tags []tag `json:",omitempty"`
}

type tag struct {
	Key   string
	Value string
}

func (d *Door) createBucket(ctx context.Context, r *request) error {
	var in struct {
		LocationConstraint string
		Tags               []tag `xml:"Tags>Tag"`
	}
	if err := r.document(&in); err != nil {
		return err
	}
	region := in.LocationConstraint
	if region == "" {
		region = d.Region
	}
	if len(region) > 32 || strings.ContainsFunc(region, notBucketRune) {
		return newError("InvalidLocationConstraint", "The specified location-constraint is not valid").about("LocationConstraint", region[:min(len(region), 64)])
	}
	if r.Header.Get("x-amz-bucket-object-lock-enabled") == "true" {
		return newError("NotImplemented", "Object Lock is not implemented")
	}
	if err := checkTags(in.Tags, 50); err != nil {
		return err
	}
	info, err := json.Marshal(bucketInfo{Tags: in.Tags})
	if err != nil {
		return err
	}
	err = d.Index.CreateBucket(ctx, flow.Bucket{Name: r.bucket, Region: region, Info: info, Created: time.Now().UTC().Truncate(time.Millisecond)})
	if flow.KindOf(err) == flow.Conflict {
		return newError("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.").about("BucketName", r.bucket)
	}
	if err != nil {
		return err
	}
	r.w.Header().Set("Location", "/"+r.bucket)
	r.status(http.StatusOK)
	return nil
}

func (d *Door) headBucket(ctx context.Context, r *request) error {
	b, err := d.Index.Bucket(ctx, r.bucket)
	if err != nil {
		return err
	}
	r.w.Header().Set("x-amz-bucket-region", b.Region)
	r.w.Header().Set("x-amz-access-point-alias", "false")
	r.status(http.StatusOK)
	return nil
}

func (d *Door) deleteBucket(ctx context.Context, r *request) error {
	freed, err := d.Index.DeleteBucket(ctx, r.bucket)
	if flow.KindOf(err) == flow.Conflict {
		return newError("BucketNotEmpty", "The bucket you tried to delete is not empty. You must delete all versions in the bucket.").about("BucketName", r.bucket)
	}
	if err != nil {
		return err
	}
	d.free(freed)
	r.status(http.StatusNoContent)
	return nil
}

func (d *Door) listBuckets(ctx context.Context, r *request) error {
	limit, err := r.limit("max-buckets", 10000, 10000)
	if err != nil {
		return err
	}
	var after string
	if t := r.query.Get("continuation-token"); t != "" {
		raw, err := base64.RawURLEncoding.DecodeString(t)
		if err != nil {
			return invalid("continuation-token", t, "The continuation token provided is incorrect")
		}
		after = string(raw)
	}
	all, err := d.Index.Buckets(ctx)
	if err != nil {
		return err
	}
	type bucket struct {
		Name         string
		CreationDate string
		BucketRegion string
	}
	var out struct {
		XMLName           xmlName  `xml:"ListAllMyBucketsResult"`
		Buckets           []bucket `xml:"Buckets>Bucket"`
		Owner             owner
		ContinuationToken string `xml:",omitempty"`
		Prefix            string `xml:",omitempty"`
	}
	out.Owner, out.Prefix = d.owner(), r.query.Get("prefix")
	for _, b := range all {
		if b.Name <= after || !strings.HasPrefix(b.Name, out.Prefix) {
			continue
		}
		if want := r.query.Get("bucket-region"); want != "" && want != b.Region {
			continue
		}
		if len(out.Buckets) == limit {
			if limit > 0 {
				out.ContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(out.Buckets[limit-1].Name))
			}
			break
		}
		out.Buckets = append(out.Buckets, bucket{b.Name, stamp(b.Created), b.Region})
	}
	return r.xml(http.StatusOK, out)
}

type owner struct {
	ID          string
	DisplayName string `xml:",omitempty"`
}

func (d *Door) owner() owner { return owner{ID: d.Account, DisplayName: d.Account} }

func (d *Door) bucketLocation(ctx context.Context, r *request) error {
	b, err := d.Index.Bucket(ctx, r.bucket)
	if err != nil {
		return err
	}
	if b.Region == "us-east-1" {
		return r.xml(http.StatusOK, empty{"LocationConstraint"}) // the oldest region has no name here
	}
	return r.xml(http.StatusOK, struct {
		XMLName xmlName `xml:"LocationConstraint"`
		Region  string  `xml:",chardata"`
	}{Region: b.Region})
}

func (d *Door) bucketVersioning(ctx context.Context, r *request) error {
	b, err := d.Index.Bucket(ctx, r.bucket)
	if err != nil {
		return err
	}
	return r.xml(http.StatusOK, struct {
		XMLName xmlName `xml:"VersioningConfiguration"`
		Status  string  `xml:",omitempty"`
	}{Status: string(b.Versioning)})
}

func (d *Door) putBucketVersioning(ctx context.Context, r *request) error {
	var in struct {
		Status    string
		MfaDelete string
	}
	if err := r.document(&in); err != nil {
		return err
	}
	if in.MfaDelete == "Enabled" {
		return newError("NotImplemented", "MFA delete is not implemented")
	}
	v := flow.Versioning(in.Status)
	if v != flow.Enabled && v != flow.Suspended {
		return newError("IllegalVersioningConfigurationException", "The versioning configuration specified in the request is invalid: Status must be Enabled or Suspended")
	}
	if err := d.Index.SetVersioning(ctx, r.bucket, v); err != nil {
		return err
	}
	r.status(http.StatusOK)
	return nil
}

// A tagging is the document that tags travel in.
type tagging struct {
	XMLName xmlName `xml:"Tagging"`
	Tags    []tag   `xml:"TagSet>Tag"`
}

func (t tagging) orEmpty() any {
	if len(t.Tags) > 0 {
		return t
	}
	return struct {
		XMLName xmlName `xml:"Tagging"`
		TagSet  string
	}{}
}

// checkTags bounds tags as S3 does.
func checkTags(tags []tag, most int) error {
	if len(tags) > most {
		return newError("InvalidTag", "There may be at most "+strconv.Itoa(most)+" tags")
	}
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "" || len(t.Key) > 4*128 || len([]rune(t.Key)) > 128:
			return newError("InvalidTag", "The TagKey you have provided is invalid").about("TagKey", t.Key[:min(len(t.Key), 512)])
		case len(t.Value) > 4*256 || len([]rune(t.Value)) > 256:
			return newError("InvalidTag", "The TagValue you have provided is invalid").about("TagKey", t.Key)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return newError("InvalidTag", "System tags cannot be added/updated by requester").about("TagKey", t.Key)
		case seen[t.Key]:
			return newError("InvalidTag", "Cannot provide multiple Tags with the same key").about("TagKey", t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}

func (d *Door) bucketTagging(ctx context.Context, r *request) error {
	b, err := d.Index.Bucket(ctx, r.bucket)
	if err != nil {
		return err
	}
	var info bucketInfo
	if err := unpack(b.Info, &info); err != nil {
		return err
	}
	if len(info.Tags) == 0 {
		return newError("NoSuchTagSet", "The TagSet does not exist").about("BucketName", r.bucket)
	}
	return r.xml(http.StatusOK, tagging{Tags: info.Tags})
}

func (d *Door) putBucketTagging(ctx context.Context, r *request) error {
	var in tagging
	if err := r.document(&in); err != nil {
		return err
	}
	if err := checkTags(in.Tags, 50); err != nil {
		return err
	}
	return d.setBucketTags(ctx, r, in.Tags)
}

func (d *Door) deleteBucketTagging(ctx context.Context, r *request) error {
	return d.setBucketTags(ctx, r, nil)
}

func (d *Door) setBucketTags(ctx context.Context, r *request, tags []tag) error {
	info, err := json.Marshal(bucketInfo{Tags: tags})
	if err != nil {
		return err
	}
	if err := d.Index.SetBucketInfo(ctx, r.bucket, info); err != nil {
		return err
	}
	r.status(http.StatusNoContent)
	return nil
}

// unpack reads what was kept with a row.
func unpack(info json.RawMessage, v any) error {
	if len(info) == 0 {
		return nil
	}
	return json.Unmarshal(info, v)
}

// Access control lists are answered as S3 answers with ACLs switched off: all
// belongs to the owner, and setting a list changes nothing.

func (d *Door) bucketACL(ctx context.Context, r *request) error {
	if _, err := d.Index.Bucket(ctx, r.bucket); err != nil {
		return err
	}
	return r.acl(d.owner())
}

func (d *Door) putBucketACL(ctx context.Context, r *request) error {
	if _, err := d.Index.Bucket(ctx, r.bucket); err != nil {
		return err
	}
	return r.acceptACL()
}

func (r *request) acl(o owner) error {
	type grantee struct {
		XSI  string `xml:"xmlns:xsi,attr"`
		Type string `xml:"xsi:type,attr"`
		owner
	}
	type grant struct {
		Grantee    grantee
		Permission string
	}
	return r.xml(http.StatusOK, struct {
		XMLName xmlName `xml:"AccessControlPolicy"`
		Owner   owner
		Grants  []grant `xml:"AccessControlList>Grant"`
	}{Owner: o, Grants: []grant{{grantee{"http://www.w3.org/2001/XMLSchema-instance", "CanonicalUser", o}, "FULL_CONTROL"}}})
}

func (r *request) acceptACL() error {
	if err := checkCanned(r.Header.Get("x-amz-acl")); err != nil {
		return err
	}
	var policy struct {
		Owner owner
	}
	if err := r.document(&policy); err != nil {
		return err
	}
	r.status(http.StatusOK)
	return nil
}

// checkCanned reports whether S3 knows a canned list.
func checkCanned(acl string) error {
	switch acl {
	case "", "private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read",
		"bucket-owner-read", "bucket-owner-full-control", "log-delivery-write":
		return nil
	}
	return invalid("x-amz-acl", acl, "not a canned access control list")
}

// limit reads a parameter that bounds a list.
func (r *request) limit(name string, usual, most int) (int, error) {
	s := r.query.Get(name)
	if s == "" {
		return usual, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return 0, invalid(name, s, "Provided "+name+" not an integer or within integer range")
	}
	return min(int(n), most), nil
}
