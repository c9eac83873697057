package logs

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"time"
)

// Size returns how many bytes a stream has. A missing one is a flow.NotFound.
func (d *Dir) Size(group, stream string) (int64, error) {
	f, err := d.openStream(group, stream)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.size, nil
}

// Begin returns the position at which the line begins that a position is in;
// beyond the end, where the last whole line ends.
func (d *Dir) Begin(group, stream string, at int64) (int64, error) {
	f, err := d.openStream(group, stream)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.begin(at)
}

func (f *file) begin(at int64) (int64, error) {
	end, err := f.end()
	if err != nil || at < 0 || at >= end {
		return end, err
	}
	b := backward{f: f}
	return b.lineStart(at + 1)
}

func (d *Dir) openStream(group, stream string) (*file, error) {
	path, err := d.find(group, stream)
	if err != nil {
		return nil, err
	}
	f, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noStream(stream)
	}
	return f, err
}

// A Search selects lines of a stream.
type Search struct {
	// From is where a line begins, or the stream ends; negative is the end.
	// Lines from it on are looked at, or with Back those before it.
	From int64
	Back bool
	// Limit is how many lines may be found, and Patience about how long it may
	// take.
	Limit    int
	Patience time.Duration
	// Keep reports whether a line, with its end, is wanted. It is called with
	// at most 256 KiB of each, which it must not keep.
	Keep func(line []byte) bool
}

// A Found says where the lines begin that were wanted, in the order of the
// stream. The search goes on at Next, unless it is Over.
type Found struct {
	At   []int64
	Next int64
	Over bool
}

// searchBlock is how much is searched at once, from the front, when a search
// goes back.
const searchBlock = 1 << 20

// Search looks for lines.
func (d *Dir) Search(ctx context.Context, group, stream string, s Search) (Found, error) {
	f, err := d.openStream(group, stream)
	if err != nil {
		return Found{}, err
	}
	defer f.Close()
	end, err := f.end()
	if err != nil {
		return Found{}, err
	}
	if s.From < 0 || s.From > end {
		s.From = end
	}
	until := time.Now().Add(s.Patience)
	if !s.Back {
		return f.search(ctx, s, end, until)
	}
	out := Found{Next: s.From}
	for out.Next > 0 && len(out.At) < s.Limit && (len(out.At) == 0 && out.Next == s.From || time.Now().Before(until)) {
		from, err := f.begin(max(0, out.Next-searchBlock))
		if err != nil {
			return Found{}, err
		}
		block := s
		block.From, block.Limit = from, math.MaxInt
		found, err := f.search(ctx, block, out.Next, time.Time{})
		if err != nil {
			return Found{}, err
		}
		out.Next = from
		if most := s.Limit - len(out.At); len(found.At) > most {
			found.At = found.At[len(found.At)-most:]
			out.Next = found.At[0]
		}
		out.At = append(found.At, out.At...)
	}
	out.Over = out.Next == 0
	return out, nil
}

// search looks at the lines from s.From to end; a zero until is no bound.
func (f *file) search(ctx context.Context, s Search, end int64, until time.Time) (Found, error) {
	out := Found{Next: s.From}
	in := bufio.NewReaderSize(io.NewSectionReader(f, s.From, end-s.From), 256<<10)
	var long []byte
	for n := 1; out.Next < end && len(out.At) < s.Limit; n++ {
		if n%1024 == 0 {
			if ctx.Err() != nil {
				return Found{}, ctx.Err()
			}
			if !until.IsZero() && time.Now().After(until) {
				break
			}
		}
		line, err := in.ReadSlice('\n')
		size := int64(len(line))
		if err == bufio.ErrBufferFull {
			long = append(long[:0], line...)
			for err == bufio.ErrBufferFull {
				line, err = in.ReadSlice('\n')
				size += int64(len(line))
			}
			line = long
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return Found{}, err
		}
		if s.Keep(line[:min(len(line), maxLine)]) {
			out.At = append(out.At, out.Next)
		}
		out.Next += size
	}
	out.Over = out.Next >= end
	return out, nil
}
