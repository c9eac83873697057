package main

import (
	"context"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"fairlead/internal/flow"
)

// A copies knows of files of runs which objects have the same bytes, so that S3
// can make another object of one without the bytes being sent. It knows it while
// the server lives: without it they are sent.
type copies struct {
	mu    sync.Mutex
	known map[copied]objectAt
}

// A copied is a file of a run as it was. It may be renamed.
type copied struct {
	run         flow.RunID // whose credentials have read or written the object
	dev, ino    uint64
	size, mtime int64
}

type objectAt struct{ bucket, key, etag string }

const (
	// maxCopies bounds the files that are remembered.
	maxCopies = 1 << 16
	// maxCopied bounds what S3 copies at once, in bytes.
	maxCopied = 5 << 30
)

// of returns what a file is known by.
func (c *copies) of(run flow.RunID, info fs.FileInfo) (copied, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if c == nil || !ok {
		return copied{}, false
	}
	return copied{run, uint64(st.Dev), st.Ino, info.Size(), info.ModTime().UnixNano()}, true //nolint:unconvert // other systems have 32 bits
}

// note keeps that an object has the bytes of a file.
func (c *copies) note(run flow.RunID, info fs.FileInfo, o objectAt) {
	id, ok := c.of(run, info)
	if !ok || o.etag == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxCopies {
		c.known = map[copied]objectAt{}
	}
	c.known[id] = o
}

// find returns an object with the bytes of a file.
func (c *copies) find(run flow.RunID, info fs.FileInfo) (objectAt, bool) {
	id, ok := c.of(run, info)
	if !ok {
		return objectAt{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok := c.known[id]
	return o, ok
}

// copyOf has S3 make an object of one that has the bytes of a file, if there is
// one that is still as it was, and may be read.
func (s *runStore) copyOf(ctx context.Context, info fs.FileInfo, bucket, key string) (etag string, ok bool) {
	from, ok := s.copies.find(s.run, info)
	if !ok || info.Size() == 0 || info.Size() > maxCopied || s.may("s3:GetObject", "arn:aws:s3:::"+from.bucket+"/"+from.key) != nil {
		return "", false
	}
	if from.bucket == bucket && from.key == key {
		return "", false // nothing is copied onto itself
	}
	source := strings.NewReplacer("%2F", "/", "+", "%20").Replace(url.QueryEscape(from.bucket + "/" + from.key))
	out, err := s.client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: &key, CopySource: &source, CopySourceIfMatch: &from.etag, MetadataDirective: "REPLACE"})
	if err != nil || out.CopyObjectResult == nil || aws.ToString(out.CopyObjectResult.ETag) == "" {
		return "", false // then the bytes are sent
	}
	return *out.CopyObjectResult.ETag, true
}
