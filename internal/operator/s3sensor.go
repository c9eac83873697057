package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// pokeTime bounds one look, so that a service that does not answer cannot
// hold a sensor for ever.
const pokeTime = 2 * time.Minute

// pokerOf returns how to make the poker of s, or nil if there is none.
func pokerOf(s *Spec) func(*Operators, *Spec) Poker {
	switch s.Class {
	case "S3KeySensor":
		return func(o *Operators, s *Spec) Poker { return keySensor{s3Poker{o, s}} }
	case "S3KeysUnchangedSensor":
		return func(o *Operators, s *Spec) Poker { return unchangedSensor{s3Poker{o, s}} }
	}
	if s.Sensor && len(s.Do) > 0 {
		return func(o *Operators, s *Spec) Poker { return jobPoker{o, s} }
	}
	return nil
}

// s3Poker is what sensors on S3 have in common.
type s3Poker struct {
	o    *Operators
	spec *Spec
}

// client returns the client for a call and the option that signs for it.
func (p s3Poker) client(ctx context.Context, c Call) (*s3.Client, func(*s3.Options), error) {
	client, err := p.o.clients.forS3(ctx, p.o.place(c))
	signer := p.o.signer(c)
	return client, func(o *s3.Options) {
		if signer != nil {
			o.Credentials = signer
		}
	}, err
}

func (p s3Poker) logger() string { return "airflow.task.operators." + p.spec.Paths[0] }

// keySensor waits until all of some keys exist.
type keySensor struct{ s3Poker }

// Poke looks for every key and stops at the first that is missing.
func (k keySensor) Poke(ctx context.Context, c Call, _ json.RawMessage, log Log) (Poked, error) {
	ctx, cancel := context.WithTimeout(ctx, pokeTime)
	defer cancel()
	a := c.args(k.spec)
	keys, _ := a.texts("bucket_key")
	bucket := a.text("bucket_name")
	wildcard, regex := a.flag("wildcard_match"), a.flag("use_regex")
	switch {
	case a.err != nil:
		return Poked{}, a.err
	case len(keys) == 0:
		return Poked{}, Errorf("%s: the argument bucket_key has no value", k.spec.Class)
	case a.has("check_fn"):
		return Poked{}, &Error{Fatal: true, Message: "S3KeySensor: check_fn is a Python callable, which this version cannot call"}
	case wildcard && regex:
		wildcard = true // as in the provider, which asks for it first
	}
	client, sign, err := k.client(ctx, c)
	if err != nil {
		return Poked{}, err
	}
	for _, key := range keys {
		b, name, err := resolve(bucket, key, "bucket_name", "bucket_key")
		if err != nil {
			return Poked{}, err
		}
		log("info", k.logger(), fmt.Sprintf("Poking for key : s3://%s/%s", b, name))
		var found bool
		switch {
		case wildcard:
			found, err = k.wildcard(ctx, client, sign, b, name)
		case regex:
			found, err = k.regex(ctx, client, sign, b, name)
		default:
			found, err = k.head(ctx, client, sign, b, name)
		}
		if err != nil || !found {
			return Poked{}, err
		}
	}
	return Poked{Done: true}, nil
}

// head asks for one object.
func (keySensor) head(ctx context.Context, c *s3.Client, sign func(*s3.Options), bucket, key string) (bool, error) {
	_, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key}, sign)
	if statusOf(err) == 404 {
		return false, nil
	}
	return err == nil, callError(err)
}

// wildcard looks for a key that a pattern matches.
func (keySensor) wildcard(ctx context.Context, c *s3.Client, sign func(*s3.Options), bucket, pattern string) (bool, error) {
	match, err := fnmatch(pattern)
	if err != nil {
		return false, err
	}
	prefix := pattern
	if i := strings.IndexAny(pattern, "*?["); i >= 0 {
		prefix = pattern[:i]
	}
	return anyKey(ctx, c, sign, bucket, prefix, match)
}

// regex looks for a key that a regular expression matches at its beginning.
func (keySensor) regex(ctx context.Context, c *s3.Client, sign func(*s3.Options), bucket, pattern string) (bool, error) {
	re, err := regexp.Compile(`\A(?:` + pattern + `)`)
	if err != nil {
		return false, &Error{Fatal: true, Message: fmt.Sprintf(
			"S3KeySensor: the regular expression %q cannot be used: %v (look-around and back-references are not supported)", clip(pattern, 200), err)}
	}
	return anyKey(ctx, c, sign, bucket, "", re.MatchString)
}

// anyKey reports whether a key with the prefix matches, and lists no further
// than that.
func anyKey(ctx context.Context, c *s3.Client, sign func(*s3.Options), bucket, prefix string, match func(string) bool) (bool, error) {
	found := false
	err := pages(ctx, c, bucket, prefix, "", func(out *s3.ListObjectsV2Output) bool {
		for _, o := range out.Contents {
			found = found || match(aws.ToString(o.Key))
		}
		return !found
	}, sign)
	return found, err
}

// unchangedSensor waits until the keys under a prefix have stayed the same for
// a while.
type unchangedSensor struct{ s3Poker }

// A watched is the mark of an unchangedSensor.
type watched struct {
	Keys []string // sorted
	// Since is the last change that a poke saw.
	Since time.Time
}

// maxWatched bounds the names that a mark keeps, in bytes.
const maxWatched = 1 << 20

// Poke lists the keys and compares them with those of the last look.
func (u unchangedSensor) Poke(ctx context.Context, c Call, mark json.RawMessage, log Log) (Poked, error) {
	ctx, cancel := context.WithTimeout(ctx, pokeTime)
	defer cancel()
	a := c.args(u.spec)
	bucket, prefix := a.needed("bucket_name"), a.text("prefix")
	idle, least := a.number("inactivity_period"), int(a.number("min_objects"))
	shrinks := a.flag("allow_delete")
	previous, _ := a.texts("previous_objects")
	switch {
	case a.err != nil:
		return Poked{}, a.err
	case idle < 0:
		return Poked{}, &Error{Fatal: true, Message: "inactivity_period must be non-negative"}
	}
	before := watched{Keys: slices.Sorted(slices.Values(previous))}
	if len(mark) > 0 {
		if err := json.Unmarshal(mark, &before); err != nil {
			return Poked{}, fmt.Errorf("read the mark of %s: %w", u.spec.Class, err)
		}
	}
	client, sign, err := u.client(ctx, c)
	if err != nil {
		return Poked{}, err
	}
	log("info", u.logger(), fmt.Sprintf("Poking for changes in s3://%s/%s", bucket, prefix))
	var keys []string
	size := 0
	err = pages(ctx, client, bucket, prefix, "", func(out *s3.ListObjectsV2Output) bool {
		for _, o := range out.Contents {
			keys = append(keys, aws.ToString(o.Key))
			size += len(keys[len(keys)-1]) + 3
		}
		return size <= maxWatched
	}, sign)
	switch {
	case err != nil:
		return Poked{}, err
	case size > maxWatched:
		return Poked{}, &Error{Fatal: true, Message: fmt.Sprintf(
			"%s: the keys under s3://%s/%s have more than %d bytes together, too many to watch", u.spec.Class, bucket, prefix, maxWatched)}
	}
	slices.Sort(keys)
	w := watch{idle: time.Duration(idle * float64(time.Second)), least: least, shrinks: shrinks}
	after, done, event, err := w.compare(before, keys, time.Now().UTC())
	if event != "" {
		log("info", u.logger(), event)
	}
	if err != nil {
		return Poked{}, err
	}
	return Poked{Done: done, Mark: encode(after)}, nil
}

// A watch is what an unchangedSensor waits for.
type watch struct {
	idle    time.Duration
	least   int  // objects, at least
	shrinks bool // objects may vanish
}

// compare decides from the last look and the present keys, which are sorted.
func (w watch) compare(before watched, keys []string, now time.Time) (after watched, done bool, event string, err error) {
	after = watched{Keys: keys, Since: before.Since}
	gone := missingFrom(keys, before.Keys)
	switch {
	case len(gone) > 0 && !w.shrinks:
		return before, false, "", Errorf("Illegal behavior: objects were deleted in between pokes: %s", clip(strings.Join(gone, ", "), 1000))
	case len(gone) > 0:
		after.Since = now
		return after, false, fmt.Sprintf("%d objects were deleted during the last poke interval; the inactivity period starts again", len(gone)), nil
	case len(keys) > len(before.Keys):
		after.Since = now
		return after, false, fmt.Sprintf("New objects found, resetting the inactivity period (%d keys)", len(keys)), nil
	case before.Since.IsZero():
		after.Since = now
	}
	switch quiet := now.Sub(after.Since); {
	case quiet < w.idle:
		return after, false, "", nil
	case len(keys) >= w.least:
		return after, true, fmt.Sprintf("SUCCESS: %d objects found, unchanged for %s", len(keys), quiet.Round(time.Second)), nil
	default:
		return after, false, fmt.Sprintf("Inactivity period passed, but only %d of %d objects are there", len(keys), w.least), nil
	}
}

// missingFrom returns the members of old that are not in keys; both are
// sorted.
func missingFrom(keys, old []string) []string {
	return slices.DeleteFunc(slices.Clone(old), func(k string) bool {
		_, found := slices.BinarySearch(keys, k)
		return found
	})
}
