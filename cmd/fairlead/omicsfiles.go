package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sys/unix"

	"fairlead/internal/flow"
	"fairlead/internal/lang/wdl"
	"fairlead/internal/omics"
)

// A runSite is where runs of WDL have their files.
type runSite struct {
	a   *app
	dir string
}

// Dir implements [wdl.Site].
func (s *runSite) Dir(r flow.Run) (string, error) {
	dir := filepath.Join(s.dir, string(r.ID))
	return dir, os.MkdirAll(dir, 0o755)
}

// Log implements [wdl.Site].
func (s *runSite) Log(_ context.Context, r flow.Run, t flow.Task) (string, error) {
	return s.a.logs.Path(omics.LogGroup, omics.TaskStream(r.ID, t))
}

// Fetch implements [wdl.Site]. Files of this machine are for runs that its
// user starts without a server, and where --local-files lets others name them.
func (s *runSite) Fetch(ctx context.Context, r flow.Run, name, to string) error {
	scheme, _, remote := strings.Cut(name, "://")
	switch {
	case remote && scheme == "s3":
		return s.fetch(ctx, r, name, to)
	case remote && scheme == "file" && s.a.opt.localFiles:
		u, err := url.Parse(name)
		if err != nil || u.Host != "" && u.Host != "localhost" || !path.IsAbs(u.Path) {
			return flow.Errorf(flow.Invalid, "%s: expected file:///PATH", name)
		}
		name = u.Path
	case remote && scheme == "file":
		return flow.Errorf(flow.Invalid, "%s: expected s3://BUCKET/KEY; files of the server's machine are for servers with --local-files", name)
	case remote, !s.a.opt.localFiles:
		return flow.Errorf(flow.Invalid, "%s: expected s3://BUCKET/KEY", name)
	}
	real, err := filepath.EvalSymlinks(name)
	if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(name) && s.a.opt.beside != "" {
		real, err = filepath.EvalSymlinks(filepath.Join(s.a.opt.beside, name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return flow.Errorf(flow.NotFound, "there is no file %s", name)
	}
	if err != nil {
		return err
	}
	place := copyFile
	if mounts, err := s.a.mounts(ctx); err != nil {
		return err
	} else if mounts {
		place = linkFile // tasks cannot write to it
	}
	return copyTree(real, to, place)
}

// maxFetched bounds how many objects one directory of a run's inputs has.
const maxFetched = 100_000

// fetch makes an object a file, or of a URL that ends in a slash the objects
// below it a directory.
func (s *runSite) fetch(ctx context.Context, r flow.Run, name, to string) error {
	u, err := omics.ParseS3(name)
	if err != nil {
		return err
	}
	store, err := s.a.storeOf(ctx, r)
	if err != nil {
		return err
	}
	if u.Key != "" && !strings.HasSuffix(u.Key, "/") {
		etag, err := store.get(ctx, u.Bucket, u.Key, to)
		if err != nil {
			return err
		}
		return s.note(r, name, etag)
	}
	n := 0
	list := s3.NewListObjectsV2Paginator(store.client, &s3.ListObjectsV2Input{Bucket: &u.Bucket, Prefix: &u.Key})
	for list.HasMorePages() {
		if err := store.may("s3:ListBucket", "arn:aws:s3:::"+u.Bucket); err != nil {
			return err
		}
		page, err := list.NextPage(ctx)
		if err != nil {
			return explainS3(err, name)
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			rel := strings.TrimPrefix(key, u.Key)
			if rel == "" || strings.HasSuffix(rel, "/") {
				continue // stands for a directory
			}
			if n++; n > maxFetched {
				return flow.Errorf(flow.Invalid, "%s has more than %d objects", name, maxFetched)
			}
			if !filepath.IsLocal(rel) || path.Clean(rel) != rel {
				return flow.Errorf(flow.Invalid, "s3://%s/%s cannot be a file: its key has empty parts or dots", u.Bucket, key)
			}
			at := filepath.Join(to, rel)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				return err
			}
			etag, err := store.get(ctx, u.Bucket, key, at)
			if err != nil {
				return err
			}
			if err := s.note(r, "s3://"+u.Bucket+"/"+key, etag); err != nil {
				return err
			}
		}
	}
	if n == 0 {
		return flow.Errorf(flow.NotFound, "there is no object below %s", name)
	}
	return nil
}

// digestsFile is where a run's directory says which objects were read: a line
// of JSON each.
const digestsFile = "digests.jsonl"

type digestLine struct{ URI, ETag string }

// note keeps what an object's bytes were when they were read.
func (s *runSite) note(r flow.Run, uri, etag string) error {
	dir, err := s.Dir(r)
	if err != nil {
		return err
	}
	line, err := json.Marshal(digestLine{uri, "etag:" + strings.Trim(etag, `"`)})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, digestsFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// maxDigests bounds the bytes that are read of a file of digests.
const maxDigests = 1 << 20

// digests returns what was noted of a run's inputs.
func (s *runSite) digests(run flow.RunID) map[string]string {
	f, err := os.Open(filepath.Join(s.dir, string(run), digestsFile))
	if err != nil {
		return nil // nothing was read yet
	}
	defer f.Close()
	out := map[string]string{}
	for d := json.NewDecoder(io.LimitReader(f, maxDigests)); ; {
		var line digestLine
		if d.Decode(&line) != nil {
			return out // the end, or half a line that a crash has left
		}
		out[line.URI] = line.ETag
	}
}

// A runStore is S3 as a run may use it.
type runStore struct {
	client *s3.Client
	// may refuses what the run's role may not do with objects here. Elsewhere
	// that is for whoever holds them.
	may func(action, resource string) error
	// moved hears of bytes that were read or written; nil: nobody does.
	moved func(n int64)
	// copies knows which objects files of the run have come from, or have become.
	copies *copies
	run    flow.RunID
}

// storeOf returns the S3 that a run reads inputs from, and writes outputs to: by
// the role's own credentials where it has some, else the one beside this server.
func (a *app) storeOf(ctx context.Context, r flow.Run) (*runStore, error) {
	set, err := a.runs.settingsOf(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	entry, _ := a.roles.Find(set.RoleARN)
	endpoint := cmp.Or(a.opt.s3, a.inner)
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient()), // AWS_CA_BUNDLE works with this one alone
		config.WithRegion(a.opt.region),
	}
	may := func(string, string) error { return nil }
	switch {
	case entry.Assume != "":
		endpoint = entry.Endpoint
		options = append(options, config.WithCredentialsProvider(aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			c, err := a.assume(ctx, entry, "fairlead-"+string(r.ID))
			return aws.Credentials{AccessKeyID: c.AccessKey, SecretAccessKey: c.SecretKey, SessionToken: c.Token, CanExpire: !c.Expires.IsZero(), Expires: c.Expires}, err
		}))))
	case a.opt.s3 == "":
		own := aws.Credentials{AccessKeyID: a.key.AccessKey, SecretAccessKey: a.key.SecretKey}
		options = append(options, config.WithCredentialsProvider(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return own, nil })))
		may = func(action, resource string) error {
			if set.RoleARN == "" {
				return nil
			}
			return a.judge(set.RoleARN, set.RoleARN, action, resource)
		}
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("configure the client of S3: %w", err)
	}
	return &runStore{may: may, copies: &a.copies, run: r.ID, client: s3.NewFromConfig(c, func(o *s3.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
			o.UsePathStyle = true // few stores answer to bucket names in hosts
		}
	})}, nil
}

// get makes an object a file that is not there yet, and returns its ETag.
func (s *runStore) get(ctx context.Context, bucket, key, to string) (etag string, err error) {
	return s.getAs(ctx, bucket, key, to, nil)
}

// getAs is get for an object that must have an ETag, unless that is nil.
func (s *runStore) getAs(ctx context.Context, bucket, key, to string, want *string) (etag string, err error) {
	name := "s3://" + bucket + "/" + key
	if err := s.may("s3:GetObject", "arn:aws:s3:::"+bucket+"/"+key); err != nil {
		return "", err
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, IfMatch: want})
	if err != nil {
		return "", explainS3(err, name)
	}
	defer out.Body.Close()
	size := aws.ToInt64(out.ContentLength)
	if free := freeBytes(filepath.Dir(to)); size > free {
		return "", flow.Errorf(flow.Quota, "%s has %d bytes, and %d are free", name, size, free)
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return "", err
	}
	n, err := io.Copy(f, &counted{io.LimitReader(out.Body, size+1), s.moved})
	info, serr := f.Stat()
	if err = errors.Join(err, serr, f.Close()); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	if n != size {
		return "", fmt.Errorf("read %s: it has %d bytes, and %d came", name, size, n)
	}
	etag = aws.ToString(out.ETag)
	s.copies.note(s.run, info, objectAt{bucket, key, etag})
	return etag, nil
}

// A counted reader tells how much is read.
type counted struct {
	io.Reader
	moved func(int64) // may be nil
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.moved != nil {
		c.moved(int64(n))
	}
	return n, err
}

// freeBytes returns the room left in the file system of a directory.
func freeBytes(dir string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return math.MaxInt64 // not known
	}
	return int64(s.Bavail) * int64(s.Bsize) //nolint:unconvert // other systems have 32 bits
}

// Files larger than wholeSize are put in parts, of which there may be maxParts.
const (
	wholeSize = 256 << 20
	partSize  = 64 << 20
	maxParts  = 10_000
)

// put makes a file an object, and returns its ETag.
func (s *runStore) put(ctx context.Context, from, bucket, key string) (etag string, err error) {
	if err := s.may("s3:PutObject", "arn:aws:s3:::"+bucket+"/"+key); err != nil {
		return "", err
	}
	f, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if etag, ok := s.copyOf(ctx, info, bucket, key); ok {
		return etag, nil
	}
	if info.Size() > wholeSize {
		etag, err = s.putParts(ctx, f, info.Size(), bucket, key)
	} else {
		etag, err = s.putWhole(ctx, f, info.Size(), bucket, key)
	}
	if err == nil {
		s.copies.note(s.run, info, objectAt{bucket, key, etag})
	}
	return etag, err
}

func (s *runStore) putWhole(ctx context.Context, f io.ReadSeeker, size int64, bucket, key string) (etag string, err error) {
	out, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: f, ContentLength: &size})
	if err != nil {
		return "", explainS3(err, "s3://"+bucket+"/"+key)
	}
	s.tell(size)
	return aws.ToString(out.ETag), nil
}

// tell says how many bytes were moved.
func (s *runStore) tell(n int64) {
	if s.moved != nil {
		s.moved(n)
	}
}

func (s *runStore) putParts(ctx context.Context, f io.ReaderAt, size int64, bucket, key string) (etag string, err error) {
	name := "s3://" + bucket + "/" + key
	up, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", explainS3(err, name)
	}
	each := max(int64(partSize), (size+maxParts-1)/maxParts)
	var parts []s3types.CompletedPart
	for n, at := int32(1), int64(0); at < size; n, at = n+1, at+each {
		length := min(each, size-at)
		out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &bucket, Key: &key, UploadId: up.UploadId, PartNumber: &n, Body: io.NewSectionReader(f, at, length), ContentLength: &length,
		})
		if err != nil {
			// What is not said to be aborted is, some day, by the bucket's rules.
			_, _ = s.client.AbortMultipartUpload(context.WithoutCancel(ctx), &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: up.UploadId})
			return "", explainS3(err, name)
		}
		s.tell(length)
		parts = append(parts, s3types.CompletedPart{
			ETag: out.ETag, PartNumber: &n, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
		})
	}
	out, err := s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &bucket, Key: &key, UploadId: up.UploadId, MultipartUpload: &s3types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return "", explainS3(err, name)
	}
	return aws.ToString(out.ETag), nil
}

// read returns the contents of an object that is not large.
func (s *runStore) read(ctx context.Context, bucket, key string, most int64) ([]byte, error) {
	name := "s3://" + bucket + "/" + key
	if err := s.may("s3:GetObject", "arn:aws:s3:::"+bucket+"/"+key); err != nil {
		return nil, err
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, explainS3(err, name)
	}
	defer out.Body.Close()
	return readAll(out.Body, name, most)
}

// readAll reads what must not have more than a number of bytes.
func readAll(r io.Reader, name string, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", name, most)
	}
	return data, err
}

// putText makes a text an object.
func (s *runStore) putText(ctx context.Context, text []byte, bucket, key string) error {
	if err := s.may("s3:PutObject", "arn:aws:s3:::"+bucket+"/"+key); err != nil {
		return err
	}
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(text)})
	return explainS3(err, "s3://"+bucket+"/"+key)
}

// remove deletes an object.
func (s *runStore) remove(ctx context.Context, bucket, key string) error {
	if err := s.may("s3:DeleteObject", "arn:aws:s3:::"+bucket+"/"+key); err != nil {
		return err
	}
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	return explainS3(err, "s3://"+bucket+"/"+key)
}

// explainS3 gives an answer of S3 its kind.
func explainS3(err error, name string) error {
	if err == nil {
		return nil
	}
	code := ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code = api.ErrorCode()
	}
	switch code {
	case "NoSuchBucket", "NoSuchKey", "NotFound":
		return flow.Errorf(flow.NotFound, "%s does not exist", name)
	case "AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch":
		return flow.Errorf(flow.Denied, "access to %s is denied (%s)", name, code)
	case "PreconditionFailed":
		return flow.Errorf(flow.Conflict, "%s has changed", name)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// publish takes a run's outputs to where it was asked to put them, and returns
// them with the names that they have there.
func (a *app) publish(ctx context.Context, r flow.Run, v wdl.Value) (wdl.Value, error) {
	if a.opt.publish != nil {
		return a.opt.publish(ctx, r, v)
	}
	to, err := a.destination(ctx, r)
	if err != nil {
		return nil, err
	}
	rec, ok := v.(*wdl.Record)
	if !ok {
		return nil, errors.New("the run's outputs are no object")
	}
	out, err := layout(rec, func(p wdl.Path, at string) (wdl.Value, error) { return to.place(ctx, p, at) })
	if err != nil {
		return nil, err
	}
	text, err := outputsText(out, to.workflow)
	if err != nil {
		return nil, err
	}
	return out, to.text(ctx, text, "logs/outputs.json")
}

// layout returns outputs with each file and directory in them replaced by what f
// returns for it and its place beside others.
func layout(outputs *wdl.Record, f func(p wdl.Path, at string) (wdl.Value, error)) (*wdl.Record, error) {
	out := &wdl.Record{Names: outputs.Names, Values: slices.Clone(outputs.Values)}
	for i, name := range out.Names {
		var err error
		if out.Values[i], err = wdl.Layout(out.Values[i], path.Join("out", name), f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// A destination is where a run puts what outlives it.
type destination struct {
	base     string // URL without a slash at its end
	workflow string // the name of the document's workflow
	file     func(ctx context.Context, from, name string) error
	text     func(ctx context.Context, text []byte, name string) error
	remove   func(ctx context.Context, name string) error // also what is not there
}

func (d destination) url(name string) string { return d.base + "/" + name }

// place puts a file or directory to a place, and returns what it is called there.
func (d destination) place(ctx context.Context, p wdl.Path, at string) (wdl.Value, error) {
	err := filepath.WalkDir(p.Name, func(file string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(p.Name, file)
		if err != nil {
			return err
		}
		return d.file(ctx, file, path.Join(at, filepath.ToSlash(rel)))
	})
	if err != nil {
		return nil, err
	}
	url := d.url(at)
	if p.Dir {
		url += "/"
	}
	return wdl.Path{Name: url, Dir: p.Dir}, nil
}

// destination returns where a run's outputs go.
func (a *app) destination(ctx context.Context, r flow.Run) (destination, error) {
	set, err := a.runs.settingsOf(ctx, r.ID)
	if err != nil {
		return destination{}, err
	}
	to := destination{base: omics.RunOutputURI(set.OutputURI, r.ID)}
	if to.workflow, err = a.runs.workflowName(ctx, r); err != nil {
		return destination{}, err
	}
	if dir, ok := strings.CutPrefix(to.base, "file://"); ok {
		if !a.opt.localFiles {
			return destination{}, flow.Errorf(flow.Invalid, "%s: outputs go to files of this machine with --local-files only", to.base)
		}
		to.file = func(_ context.Context, from, name string) error {
			at := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				return err
			}
			return copyOut(from, at)
		}
		to.text = func(_ context.Context, text []byte, name string) error {
			at := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				return err
			}
			return os.WriteFile(at, text, 0o644)
		}
		to.remove = func(_ context.Context, name string) error {
			err := os.Remove(filepath.Join(dir, name))
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		return to, nil
	}
	u, err := omics.ParseS3(to.base)
	if err != nil {
		return destination{}, err
	}
	store, err := a.storeOf(ctx, r)
	if err != nil {
		return destination{}, err
	}
	to.file = func(ctx context.Context, from, name string) error {
		_, err := store.put(ctx, from, u.Bucket, path.Join(u.Key, name))
		return err
	}
	to.text = func(ctx context.Context, text []byte, name string) error {
		return store.putText(ctx, text, u.Bucket, path.Join(u.Key, name))
	}
	to.remove = func(ctx context.Context, name string) error {
		return store.remove(ctx, u.Bucket, path.Join(u.Key, name))
	}
	return to, nil
}

// publishTime bounds how long the last files of a run may take.
const publishTime = 5 * time.Minute
