package storetest

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"fairlead/internal/flow"

	"github.com/google/go-cmp/cmp"
)

// buckets come, change and go.
func buckets(w world) {
	b := flow.Bucket{Name: "bkt", Region: "eu-west-1", Info: []byte(`{"a":1}`), Created: at(1)}
	if err := w.db.CreateBucket(w.ctx, b); err != nil {
		w.Fatal(err)
	}
	if err := w.db.CreateBucket(w.ctx, b); flow.KindOf(err) != flow.Conflict {
		w.Errorf("CreateBucket again: %v; want Conflict", err)
	}
	if err := w.db.SetVersioning(w.ctx, "bkt", flow.Enabled); err != nil {
		w.Error(err)
	}
	if err := w.db.SetBucketInfo(w.ctx, "bkt", []byte(`{"a":2}`)); err != nil {
		w.Error(err)
	}
	b.Versioning, b.Info = flow.Enabled, []byte(`{"a":2}`)
	got, err := w.db.Bucket(w.ctx, "bkt")
	if diff := cmp.Diff(b, got); err != nil || diff != "" {
		w.Errorf("Bucket: %v (-want +got):\n%s", err, diff)
	}
	for what, err := range map[string]error{
		"Bucket":        lastOf2(w.db.Bucket(w.ctx, "nix")),
		"SetVersioning": w.db.SetVersioning(w.ctx, "nix", flow.Enabled),
		"DeleteBucket":  lastOf2(w.db.DeleteBucket(w.ctx, "nix")),
		"CreateUpload":  w.db.CreateUpload(w.ctx, flow.Upload{Bucket: "nix", Key: "k", ID: "u"}),
		"Object":        lastOf2(w.db.Object(w.ctx, "nix", "k", "")),
		"PutObject":     third(w.db.PutObject(w.ctx, flow.Object{Bucket: "nix", Key: "k"}, flow.Guard{})),
	} {
		if flow.KindOf(err) != flow.NotFound {
			w.Errorf("%s of no bucket: %v; want NotFound", what, err)
		}
	}
	if _, err := w.db.DeleteBucket(w.ctx, "bkt"); err != nil {
		w.Error(err)
	}
	if all, err := w.db.Buckets(w.ctx); err != nil || len(all) != 0 {
		w.Errorf("Buckets after the last was deleted: %v, %v", all, err)
	}
}

func lastOf2[T any](_ T, err error) error { return err }

// objects are compared, after each of many random steps, with a model: a list
// of versions per key, the newest last.
func objects(w world) {
	rng := rand.New(rand.NewPCG(9, 10))
	if err := w.db.CreateBucket(w.ctx, flow.Bucket{Name: "bkt", Created: at(0)}); err != nil {
		w.Fatal(err)
	}
	var (
		keys   = []string{"a", "a/b", "a\x00", "é", "\U0001F680", "Z", "~"}
		model  = map[string][]flow.Object{}
		state  flow.Versioning
		held   = map[string]bool{}
		n      int
		piece  = func() flow.Piece { n++; id := fmt.Sprint("c", n); held[id] = true; return flow.Piece{ID: id, Size: 3} }
		remove = func(key, version string) {
			model[key] = slices.DeleteFunc(model[key], func(o flow.Object) bool {
				if o.Version != version {
					return false
				}
				for _, p := range o.Pieces {
					delete(held, p.ID)
				}
				return true
			})
		}
		add = func(o flow.Object) {
			if state != flow.Enabled {
				o.Version = flow.NullVersion
				remove(o.Key, o.Version)
			}
			model[o.Key] = append(model[o.Key], o)
		}
	)
	for i := range 150 {
		key := keys[rng.IntN(len(keys))]
		fresh := fmt.Sprint("v", i)
		var freed []string
		var err error
		before := maps.Clone(held)
		what := ""
		switch op := rng.IntN(8); op {
		case 0:
			state = []flow.Versioning{flow.Enabled, flow.Suspended}[rng.IntN(2)]
			what = "versioning " + string(state)
			err = w.db.SetVersioning(w.ctx, "bkt", state)
		case 1, 2:
			what = "delete " + key
			_, freed, err = w.db.DeleteObject(w.ctx, "bkt", key, "", fresh, at(i), flow.Guard{})
			if state == flow.Unversioned {
				remove(key, flow.NullVersion)
			} else {
				add(flow.Object{Bucket: "bkt", Key: key, Version: fresh, Marker: true, Modified: at(i)})
			}
		case 3:
			if len(model[key]) == 0 {
				continue
			}
			version := model[key][rng.IntN(len(model[key]))].Version
			what = "delete " + key + " " + version
			_, freed, err = w.db.DeleteObject(w.ctx, "bkt", key, version, fresh, at(i), flow.Guard{})
			remove(key, version)
		case 4:
			what = "upload " + key
			u := flow.Upload{Bucket: "bkt", Key: key, ID: fmt.Sprint("u", i), Created: at(i)}
			if err := w.db.CreateUpload(w.ctx, u); err != nil {
				w.Fatal(err)
			}
			var used []flow.Piece
			for part := range 4 {
				p := flow.Part{Upload: u.ID, N: part%3 + 1, Piece: piece(), Modified: at(i)}
				before[p.Piece.ID] = true
				gone, err := w.db.PutPart(w.ctx, "bkt", key, p)
				if err != nil {
					w.Fatal(err)
				}
				freed = append(freed, gone...)
				used = append(used, p.Piece)
			}
			delete(held, used[0].ID) // the fourth part came in place of the first
			var more []string
			if rng.IntN(3) == 0 {
				more, err = w.db.AbortUpload(w.ctx, "bkt", key, u.ID)
				for _, p := range used {
					delete(held, p.ID)
				}
			} else {
				o := flow.Object{Bucket: "bkt", Key: key, Version: fresh, ETag: "e", Modified: at(i), Pieces: []flow.Piece{used[3], used[1]}}
				_, more, err = w.db.FinishUpload(w.ctx, u.ID, o, flow.Guard{})
				delete(held, used[2].ID)
				add(o)
			}
			freed = append(freed, more...)
		default:
			what = "put " + key
			o := flow.Object{Bucket: "bkt", Key: key, Version: fresh, ETag: "e" + fresh, Size: 3, Modified: at(i), Info: []byte(`{"m":"1"}`), Pieces: []flow.Piece{piece()}}
			before[o.Pieces[0].ID] = true
			_, freed, err = w.db.PutObject(w.ctx, o, flow.Guard{})
			add(o)
		}
		if err != nil {
			w.Fatalf("step %d, %s: %v", i, what, err)
		}
		for _, id := range freed {
			delete(before, id)
		}
		if diff := cmp.Diff(held, before); diff != "" {
			w.Fatalf("step %d, %s: contents that must stay, and that were not freed (-want +got):\n%s", i, what, diff)
		}
		compareObjects(w, fmt.Sprintf("step %d, %s", i, what), model, held)
	}
}

func compareObjects(w world, when string, model map[string][]flow.Object, held map[string]bool) {
	w.Helper()
	text := func(o flow.Object) string {
		return fmt.Sprintf("%q %s marker=%v latest=%v", o.Key, o.Version, o.Marker, o.Latest)
	}
	var history, newest []string
	for _, key := range slices.Sorted(maps.Keys(model)) {
		for i, o := range slices.Backward(model[key]) {
			o.Latest = i == len(model[key])-1
			history = append(history, text(o))
			if o.Latest && !o.Marker {
				newest = append(newest, text(o))
			}
			got, err := w.db.Object(w.ctx, "bkt", key, o.Version)
			got.Seq = 0
			if diff := cmp.Diff(o, got); err != nil || diff != "" {
				w.Fatalf("%s: Object(%q, %s): %v (-want +got):\n%s", when, key, o.Version, err, diff)
			}
		}
	}
	for _, tt := range []struct {
		history bool
		want    []string
	}{{true, history}, {false, newest}} {
		var got []string
		r := flow.ObjectRange{Bucket: "bkt", History: tt.history, Below: math.MaxInt64, Limit: 3}
		for {
			rows, err := w.db.Objects(w.ctx, r)
			if err != nil {
				w.Fatal(err)
			}
			for _, o := range rows {
				got = append(got, text(o))
				r.From, r.Below = o.Key, o.Seq
			}
			if len(rows) < r.Limit {
				break
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			w.Fatalf("%s: list, history %v (-want +got):\n%s", when, tt.history, diff)
		}
	}
	got, err := w.db.Held(w.ctx, append(slices.Sorted(maps.Keys(held)), "nix"))
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(held)), got); err != nil || diff != "" {
		w.Fatalf("%s: Held: %v (-want +got):\n%s", when, err, diff)
	}
}

// objectRange bounds a list at both ends.
func objectRange(w world) {
	if err := w.db.CreateBucket(w.ctx, flow.Bucket{Name: "bkt"}); err != nil {
		w.Fatal(err)
	}
	for _, key := range []string{"a", "b", "b/1", "b/2", "c"} {
		if _, _, err := w.db.PutObject(w.ctx, flow.Object{Bucket: "bkt", Key: key, Version: "v"}, flow.Guard{}); err != nil {
			w.Fatal(err)
		}
	}
	for _, tt := range []struct {
		from  string
		below int64
		to    string
		want  string
	}{
		{"", 0, "", "a b b/1 b/2 c"},
		{"b", 0, "", "b/1 b/2 c"},
		{"b", math.MaxInt64, "", "b b/1 b/2 c"},
		{"b/", 0, "b0", "b/1 b/2"},
		{"d", 0, "", ""},
	} {
		rows, err := w.db.Objects(w.ctx, flow.ObjectRange{Bucket: "bkt", From: tt.from, Below: tt.below, To: tt.to, Limit: 10})
		var got []string
		for _, o := range rows {
			got = append(got, o.Key)
		}
		if got := strings.Join(got, " "); err != nil || got != tt.want {
			w.Errorf("Objects(from %q below %d to %q) = %q, %v; want %q", tt.from, tt.below, tt.to, got, err, tt.want)
		}
	}
}

// uploads are listed by key and id, and end once.
func uploads(w world) {
	if err := w.db.CreateBucket(w.ctx, flow.Bucket{Name: "bkt"}); err != nil {
		w.Fatal(err)
	}
	for _, u := range []string{"k 2", "k 1", "a 1", "k/x 1"} {
		key, id, _ := strings.Cut(u, " ")
		if err := w.db.CreateUpload(w.ctx, flow.Upload{Bucket: "bkt", Key: key, ID: u, Created: at(1)}); err != nil {
			w.Fatalf("upload %s of %s: %v", id, key, err)
		}
	}
	for _, tt := range []struct {
		r    flow.UploadRange
		want string
	}{
		{flow.UploadRange{}, "a 1,k 1,k 2,k/x 1"},
		{flow.UploadRange{Limit: 2}, "a 1,k 1"},
		{flow.UploadRange{After: "k", AfterID: "k 1"}, "k 2,k/x 1"},
		{flow.UploadRange{After: "k"}, "k/x 1"},
		{flow.UploadRange{Prefix: "k"}, "k 1,k 2,k/x 1"},
	} {
		tt.r.Bucket = "bkt"
		if tt.r.Limit == 0 {
			tt.r.Limit = 10
		}
		all, err := w.db.Uploads(w.ctx, tt.r)
		var got []string
		for _, u := range all {
			got = append(got, u.ID)
		}
		if got := strings.Join(got, ","); err != nil || got != tt.want {
			w.Errorf("Uploads(%+v) = %q, %v; want %q", tt.r, got, err, tt.want)
		}
	}
	if _, err := w.db.PutPart(w.ctx, "bkt", "k", flow.Part{Upload: "k 1", N: 1, Piece: flow.Piece{ID: "c"}}); err != nil {
		w.Fatal(err)
	}
	o := flow.Object{Bucket: "bkt", Key: "k", Version: "v", Pieces: []flow.Piece{{ID: "other"}}}
	if _, _, err := w.db.FinishUpload(w.ctx, "k 1", o, flow.Guard{}); flow.KindOf(err) != flow.Conflict {
		w.Errorf("FinishUpload with what is no part: %v; want Conflict", err)
	}
	freed, err := w.db.DeleteBucket(w.ctx, "bkt")
	if err != nil || strings.Join(freed, " ") != "c" {
		w.Errorf("DeleteBucket with uploads = %q, %v; want the part's content freed", freed, err)
	}
	if _, err := w.db.PutPart(w.ctx, "bkt", "k", flow.Part{Upload: "k 2", N: 1}); flow.KindOf(err) != flow.NotFound {
		w.Errorf("PutPart after the bucket's end: %v; want NotFound", err)
	}
}

// objectRace has many put one key at once: each replaces one other, and one
// stays.
func objectRace(w world) {
	if err := w.db.CreateBucket(w.ctx, flow.Bucket{Name: "bkt"}); err != nil {
		w.Fatal(err)
	}
	const writers = 12
	var wg sync.WaitGroup
	gone := make([][]string, writers)
	for i := range writers {
		wg.Go(func() {
			o := flow.Object{Bucket: "bkt", Key: "k", Version: "v", Pieces: []flow.Piece{{ID: fmt.Sprint(i)}}}
			var err error
			if _, gone[i], err = w.db.PutObject(w.ctx, o, flow.Guard{}); err != nil {
				w.Errorf("PutObject among %d: %v", writers, err)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, id := range slices.Concat(gone...) {
		seen[id] = true
	}
	o, err := w.db.Object(w.ctx, "bkt", "k", "")
	if err != nil || len(seen) != writers-1 || seen[o.Pieces[0].ID] {
		w.Errorf("after %d writers: %d contents freed, %+v stays, %v; want all but one freed", writers, len(seen), o, err)
	}
}
