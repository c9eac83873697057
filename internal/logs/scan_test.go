package logs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/internal/flow"
)

// TestSearch finds the same lines from both ends, whatever the pages, among
// lines that are longer than what is read at once.
func TestSearch(t *testing.T) {
	d, ctx := newDir(t), t.Context()
	rng := rand.New(rand.NewPCG(7, 8))
	var text strings.Builder
	var want, begins []int64
	for i := range 3000 {
		begins = append(begins, int64(text.Len()))
		size := rng.IntN(200)
		if i%700 == 3 {
			size = 600 << 10
		}
		line := fmt.Sprintf("%d %s", i, strings.Repeat("x", size))
		if i%13 == 0 {
			line = "here " + line
			want = append(want, int64(text.Len()))
		}
		text.WriteString(line + "\n")
	}
	end := int64(text.Len())
	path, err := d.Path(group, "s")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text.String() + "here is a line without its end"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	here := func(line []byte) bool { return bytes.HasPrefix(line, []byte("here")) }
	for _, back := range []bool{false, true} {
		for _, limit := range []int{1, 7, 5000} {
			var got []int64
			s := Search{Back: back, Limit: limit, Patience: time.Hour, Keep: here}
			if back {
				s.From = -1
			}
			for over := false; !over; {
				found, err := d.Search(ctx, group, "s", s)
				if err != nil {
					t.Fatal(err)
				}
				if back {
					got = append(found.At, got...)
				} else {
					got = append(got, found.At...)
				}
				s.From, over = found.Next, found.Over
			}
			if !slices.Equal(got, want) {
				t.Errorf("back %v, %d at once: found %d lines, want %d", back, limit, len(got), len(want))
			}
		}
	}
	// In no time it still gets on.
	found, err := d.Search(ctx, group, "s", Search{From: end, Back: true, Limit: 10, Keep: func([]byte) bool { return false }})
	if err != nil || found.Next >= end || found.Over {
		t.Errorf("search without patience: %+v, %v; want to get on", found, err)
	}

	for range 500 {
		at := rng.Int64N(end)
		i, exact := slices.BinarySearch(begins, at)
		if !exact {
			i--
		}
		if got, err := d.Begin(group, "s", at); err != nil || got != begins[i] {
			t.Fatalf("Begin(%d) = %d, %v; want %d", at, got, err, begins[i])
		}
	}
	for _, at := range []int64{end, end + 5, end + 1000, -1} {
		if got, err := d.Begin(group, "s", at); err != nil || got != end {
			t.Errorf("Begin(%d) = %d, %v; want the end, %d", at, got, err, end)
		}
	}
	if n, err := d.Size(group, "s"); err != nil || n != end+30 {
		t.Errorf("Size = %d, %v; want %d", n, err, end+30)
	}
	if _, err := d.Size(group, "none"); flow.KindOf(err) != flow.NotFound {
		t.Errorf("Size of no stream: %v, want NotFound", err)
	}
}
