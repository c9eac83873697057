package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"fairlead/internal/flow"
	"fairlead/internal/lang/wdl"
	"fairlead/internal/omics"
)

// The bounds of an archive with a definition.
const (
	maxArchiveFiles     = 10_000
	maxArchiveDirectory = 8 << 20
	maxArchiveContent   = 1 << 30
)

// omicsCompiler compiles definitions for the door of HealthOmics.
type omicsCompiler struct{}

// Compile implements [omics.Compiler].
func (omicsCompiler) Compile(_ context.Context, archive []byte, engine, main string) (omics.Compiled, error) {
	failed := func(format string, args ...any) omics.Compiled {
		return omics.Compiled{Engine: engine, Main: main, Failed: true, Message: fmt.Sprintf(format, args...)}
	}
	files, err := openArchive(archive)
	if err != nil {
		return failed("The archive cannot be read: %v", err), nil
	}
	if engine == "" {
		if engine, err = engineOf(files); err != nil {
			return failed("%v", err), nil
		}
	}
	switch engine {
	case "NEXTFLOW", "CWL":
		return failed("Definitions for the engine %s are not run here: this server runs WDL.", engine), nil
	}
	if main, err = wdl.MainFile(files, main); err != nil {
		return failed("%v", err), nil
	}
	o := wdl.Options{Lenient: engine == "WDL_LENIENT"}
	doc, found := wdl.Load(files, main, o)
	out := omics.Compiled{Engine: engine, Main: main}
	if !wdl.Refused(found) {
		if doc.Workflow == nil && len(doc.Tasks) == 0 {
			return failed("%s has neither a workflow nor a task", main), nil
		}
		def, more := wdl.Compile(doc, o)
		out.Graph, found = def.Graph, append(found, more...)
	}
	if out.Failed = wdl.Refused(found); out.Failed {
		out.Graph, out.Message = flow.Graph{}, findingsText(found)
		return out, nil
	}
	out.Digest = wdl.Digest(doc)
	out.Message = clipMessage(wdl.Outline(doc) + findingsText(found))
	for _, p := range wdl.Template(doc) {
		out.Parameters = append(out.Parameters, omics.Parameter{Name: p.Name, Description: p.Description, Optional: p.Optional})
	}
	return out, nil
}

// findingsText is what a status says of a document, a line for each finding,
// faults first.
func findingsText(found []wdl.Finding) string {
	slices.SortStableFunc(found, func(a, b wdl.Finding) int { return int(a.Severity) - int(b.Severity) })
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s:%s\n", f.File, f.Diagnostic)
	}
	return clipMessage(b.String())
}

// maxMessage bounds a status message, in bytes.
const maxMessage = 16 << 10

func clipMessage(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}

// openArchive returns the files of an archive, within bounds.
func openArchive(archive []byte) (fs.FS, error) {
	dir := &directoryBound{ReaderAt: bytes.NewReader(archive), left: maxArchiveDirectory}
	z, err := zip.NewReader(dir, int64(len(archive)))
	dir.left = -1
	if err != nil {
		if errors.Is(err, errDirectory) {
			return nil, errDirectory
		}
		return nil, fmt.Errorf("it is not a zip archive: %w", err)
	}
	z.File = slices.DeleteFunc(z.File, func(f *zip.File) bool { return clutter(f.Name) })
	if len(z.File) > maxArchiveFiles {
		return nil, fmt.Errorf("it has %d files, at most %d may be", len(z.File), maxArchiveFiles)
	}
	var content uint64
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, "/")
		if !fs.ValidPath(name) || strings.Contains(name, `\`) {
			return nil, fmt.Errorf("the path %.200q leads out of it, or is not one: expected names with / between them", f.Name)
		}
		if mode := f.Mode(); !mode.IsRegular() && !mode.IsDir() {
			return nil, fmt.Errorf("%.200s is a link or a device: expected files alone", f.Name)
		}
		// A file that is longer than it says cannot be read.
		if content += f.UncompressedSize64; content > maxArchiveContent || f.UncompressedSize64 > maxArchiveContent {
			return nil, fmt.Errorf("it unpacks to more than %d bytes", int64(maxArchiveContent))
		}
	}
	return z, nil
}

// clutter reports whether a file is what macOS adds to archives and directories,
// some of which has the names of documents.
func clutter(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(name, "__MACOSX/") || base == ".DS_Store" || strings.HasPrefix(base, "._")
}

// A directoryBound bounds what is read of an archive to learn its files: the
// reader has them all in memory. Its files are read after that.
type directoryBound struct {
	io.ReaderAt
	left int64 // negative: no bound
}

var errDirectory = errors.New("it has too many files")

func (d *directoryBound) ReadAt(p []byte, at int64) (int, error) {
	if d.left >= 0 {
		if int64(len(p)) > d.left {
			return 0, errDirectory
		}
		d.left -= int64(len(p))
	}
	return d.ReaderAt.ReadAt(p, at)
}

// engineOf returns the engine that an archive's files are for.
func engineOf(files fs.FS) (string, error) {
	engines := map[string]bool{}
	_ = fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() { // what cannot be read is no definition
			return nil
		}
		if engine := map[string]string{".wdl": "WDL", ".nf": "NEXTFLOW", ".cwl": "CWL"}[path.Ext(name)]; engine != "" {
			engines[engine] = true
		}
		return nil
	})
	switch len(engines) {
	case 0:
		return "", errors.New("the archive has no definition: expected a file that ends with .wdl")
	case 1:
		for engine := range engines {
			return engine, nil
		}
	}
	return "", errors.New("the archive has definitions for several engines: name one as engine")
}

// A definitionShelf keeps archives and READMEs in a bucket of the built-in S3,
// through its own door, so that clients can fetch them by URLs.
type definitionShelf struct {
	s3     *awss3.Client // as the server asks itself
	urls   *awss3.PresignClient
	bucket string

	mu   sync.Mutex
	made bool
}

// exportLife is how long a URL is good.
const exportLife = time.Hour

func (a *app) newDefinitionShelf() *definitionShelf {
	client := func(endpoint string) *awss3.Client {
		return awss3.New(awss3.Options{
			Region: a.opt.region, BaseEndpoint: aws.String(endpoint), UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider(a.key.AccessKey, a.key.SecretKey, ""),
		})
	}
	return &definitionShelf{
		s3: client(a.inner), urls: awss3.NewPresignClient(client(a.info.Endpoint)), bucket: "fairlead-omics-" + a.opt.account,
	}
}

// Put implements [omics.Definitions].
func (s *definitionShelf) Put(ctx context.Context, key string, data []byte) error {
	if err := s.make(ctx); err != nil {
		return err
	}
	if _, err := s.s3.PutObject(ctx, &awss3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(data)}); err != nil {
		return fmt.Errorf("keep a definition: %w", err)
	}
	return nil
}

// make makes the bucket, the first time.
func (s *definitionShelf) make(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made {
		return nil
	}
	_, err := s.s3.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &s.bucket})
	if _, there := errors.AsType[*types.BucketAlreadyOwnedByYou](err); err != nil && !there {
		return fmt.Errorf("make the bucket of definitions: %w", err)
	}
	s.made = true
	return nil
}

// Delete implements [omics.Definitions].
func (s *definitionShelf) Delete(ctx context.Context, key string) error {
	_, err := s.s3.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
	return err
}

// Each implements [omics.Definitions].
func (s *definitionShelf) Each(ctx context.Context, before time.Time, f func(key string) error) error {
	if err := s.make(ctx); err != nil {
		return err
	}
	for pages := awss3.NewListObjectsV2Paginator(s.s3, &awss3.ListObjectsV2Input{Bucket: &s.bucket}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list definitions: %w", err)
		}
		for _, o := range page.Contents {
			if !o.LastModified.Before(before.Truncate(time.Second)) { // it has whole seconds
				continue
			}
			if err := f(*o.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// URL implements [omics.Definitions].
func (s *definitionShelf) URL(ctx context.Context, key string) (string, error) {
	r, err := s.urls.PresignGetObject(ctx, &awss3.GetObjectInput{Bucket: &s.bucket, Key: &key}, awss3.WithPresignExpires(exportLife))
	if err != nil {
		return "", fmt.Errorf("presign a URL: %w", err)
	}
	return r.URL, nil
}
