package flow

import (
	"encoding/json"
	"time"
)

// A Bucket is a named set of objects.
type Bucket struct {
	Name   string
	Region string
	// Versioning is empty until it is first switched on, then Enabled or
	// Suspended; it never becomes empty again.
	Versioning Versioning
	// Info is what the door keeps with the bucket, in the door's terms.
	Info    json.RawMessage
	Created time.Time
}

// Versioning says what a write to a bucket does to what was there.
type Versioning string

// The states of versioning.
const (
	Unversioned Versioning = ""
	Enabled     Versioning = "Enabled"
	Suspended   Versioning = "Suspended"
)

// NullVersion names the version of an object that was written while its
// bucket's versioning was not on.
const NullVersion = "null"

// An Object is one version of the bytes under a key, or a mark that the key
// was deleted.
type Object struct {
	Bucket, Key string
	Version     string
	// Seq orders the versions of a bucket; a later one is greater.
	Seq    int64
	Latest bool // no later version of the key exists
	Marker bool // a deletion: no bytes
	Size   int64
	ETag   string // without quotes
	// Info is what the door keeps with the object, in the door's terms.
	Info     json.RawMessage
	Pieces   []Piece // the content, in order
	Modified time.Time
}

// A Piece is a stretch of an object's content, kept as one file.
type Piece struct {
	ID   string
	Size int64
	// Check is the piece's own checksum in the door's terms; may be empty.
	Check string `json:",omitempty"`
}

// A Guard is a condition on the present newest version of a key. The zero
// Guard always holds.
type Guard struct {
	// Absent: no object may be there.
	Absent bool
	// ETag, when not empty, must be that of the object there; "*" is any.
	ETag string
}

// An ObjectRange selects rows of one bucket in the order of keys by their
// bytes, and within a key the newest version first.
type ObjectRange struct {
	Bucket string
	// From and Below say where to begin: at the versions of the key From
	// whose Seq is less than Below, then at all later keys. So Below 0 means
	// after From, and math.MaxInt64 at From.
	From  string
	Below int64
	// To, when not empty, is the first key beyond the range.
	To string
	// History asks for all versions and deletion marks instead of the newest
	// objects alone.
	History bool
	Limit   int
}

// An Upload is an object that arrives in parts.
type Upload struct {
	Bucket, Key string
	ID          string
	Info        json.RawMessage // in the door's terms
	Created     time.Time
}

// A Part is one part of an upload.
type Part struct {
	Upload   string // the upload's ID
	N        int    // from 1
	ETag     string
	Piece    Piece
	Modified time.Time
}

// An UploadRange selects uploads of one bucket by key, then ID.
type UploadRange struct {
	Bucket string
	// Begin after the upload AfterID of the key After, or with an empty
	// AfterID after all uploads of that key.
	After, AfterID string
	Prefix         string
	Limit          int
}
