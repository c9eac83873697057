package cage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"fairlead/internal/mask"
)

// TestMaskAcrossPieces writes texts in random pieces, with pauses after which
// the beginning of a line is shown, and looks for what must not be seen.
func TestMaskAcrossPieces(t *testing.T) {
	secrets := []string{"abab", "hunter2!", "ababcab", "pässwörd", `quo"te`, `quo\"te`}
	rng := rand.New(rand.NewPCG(1, 2))
	const letters = "abchunter2!"
	for round := range 3000 {
		var in strings.Builder
		for range 1 + rng.IntN(12) {
			switch rng.IntN(3) {
			case 0:
				in.WriteString(secrets[rng.IntN(len(secrets))])
			case 1:
				in.WriteByte(letters[rng.IntN(len(letters))])
			case 2:
				in.WriteString([]string{"\n", " ", "ab", "é"}[rng.IntN(4)])
			}
		}
		var out bytes.Buffer
		log := &logFile{w: &out, level: "info", mask: mask.New(secrets)}
		s := stream{log: log}
		at := time.Unix(0, 0)
		for rest := in.String(); rest != ""; {
			n := 1 + rng.IntN(len(rest))
			s.write(at, []byte(rest[:n]))
			rest = rest[n:]
			if rng.IntN(2) == 0 {
				s.show(at)
			}
		}
		s.close(at)
		log.flush()
		var seen strings.Builder
		for line := range strings.Lines(out.String()) {
			var e struct{ Event string }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("round %d: %q is not JSON: %v", round, line, err)
			}
			seen.WriteString(e.Event)
		}
		want := ""
		for _, line := range strings.Split(in.String(), "\n") {
			want += string(log.mask.Apply([]byte(line)))
		}
		if got := seen.String(); got != want {
			t.Fatalf("round %d: %q is shown as %q, want %q as if in one piece", round, in.String(), got, want)
		}
	}
}

func TestMaskOfRecords(t *testing.T) {
	var out bytes.Buffer
	log := &logFile{w: &out, level: "info", logger: "l", mask: mask.New([]string{"12345", "s3cret", `a\"b`})}
	s := stream{log: log, structured: true}
	s.write(time.Unix(0, 0), []byte(`{"event":"is s3cret","n":1}`+"\n"+`{"event":"a\"b"}`+"\n"+`{"n":12345}`+"\n"))
	log.flush()
	want := `{"event":"is ***","n":1}` + "\n" + `{"event":"***"}` + "\n" +
		`{"timestamp":"1970-01-01T00:00:00.000000Z","level":"info","event":"{\"n\":***}","logger":"l"}` + "\n"
	if out.String() != want {
		t.Errorf("the log is\n%swant\n%s", out.String(), want)
	}
}

func TestMaskOfLongLines(t *testing.T) {
	var out bytes.Buffer
	log := &logFile{w: &out, mask: mask.New([]string{"s3cret"})}
	s := stream{log: log}
	long := strings.Repeat("x", maxEvent-3)
	s.write(time.Unix(0, 0), []byte(long+"s3cret"+long+"\n"))
	log.flush()
	if strings.Contains(out.String(), "s3c") || strings.Contains(out.String(), "ret") || strings.Count(out.String(), "***") != 1 {
		t.Errorf("a text at the end of a piece is not masked once")
	}
}

// TestCommandTellsOfSecrets has a command say what is to be masked, and say too much.
func TestCommandTellsOfSecrets(t *testing.T) {
	var out bytes.Buffer
	log := &logFile{w: &out, level: "info", logger: "l", texts: []string{"s3cret"}, mask: mask.New([]string{"s3cret"})}
	records, output := stream{log: log, structured: true}, stream{log: log}
	at := time.Unix(0, 0)
	records.write(at, []byte(`{"fairlead_mask": ["hunter2", "s3cret", ""]}`+"\n"+`{"fairlead_mask": "odd"}`+"\n"))
	output.write(at, []byte("hunter2 s3cret\n"))
	log.flush()
	want := `{"fairlead_mask": "odd"}` + "\n" + `{"timestamp":"1970-01-01T00:00:00.000000Z","level":"info","event":"*** ***","logger":"l"}` + "\n"
	if out.String() != want {
		t.Errorf("the log is\n%swant\n%s", out.String(), want)
	}
	out.Reset()
	for i := range 2 * maxTold {
		records.write(at, fmt.Appendf(nil, `{"fairlead_mask": ["number %d"]}`+"\n", i))
	}
	output.write(at, []byte("number 7\nhunter2\n"))
	log.flush()
	if got := out.String(); strings.Count(got, "too many secrets") != 1 || strings.Count(got, `"***"`) != 2 {
		t.Errorf("after too many texts the log is\n%s", got)
	}
}
