package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxLine bounds one line of JSON lines, in bytes.
const maxLine = 4 << 20

// answerLines reads lines of JSON objects and writes one line of JSON for
// each, in order, as soon as it is known. Blank lines are passed over. answer
// gets a line, or the error that says what is wrong with it; line is valid
// only during the call. It ends with the input, or when out cannot be
// written.
func answerLines(in io.Reader, out io.Writer, answer func(line []byte, bad error) any) error {
	r := bufio.NewReaderSize(in, 64<<10)
	w := json.NewEncoder(out)
	w.SetEscapeHTML(false)
	for n := 1; ; n++ {
		line, long, err := readLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read line %d: %w", n, err)
		}
		text := bytes.TrimSpace(line)
		if len(text) > 0 {
			bad := checkLine(text, long)
			if bad != nil {
				bad = fmt.Errorf("line %d %w", n, bad)
			}
			// An Encoder writes each value at once, which is the flush that
			// a reader who waits for the answer needs.
			if err := w.Encode(answer(text, bad)); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// readLine reads a line. Of one that is too long it keeps the beginning.
func readLine(r *bufio.Reader) (line []byte, long bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine+1 {
			long = true
			part = part[:min(len(part), maxLine+1-len(line))]
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, long, err
		}
	}
}

// checkLine says what is wrong with a line, to go on after "line 3 ".
func checkLine(line []byte, long bool) error {
	switch {
	case long:
		return fmt.Errorf("is longer than %d bytes", maxLine)
	case !utf8.Valid(line):
		return errors.New("is not UTF-8")
	case line[0] != '{':
		return errors.New("is not a JSON object")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(line, &whole); err != nil {
		return fmt.Errorf("is not JSON: %w", err)
	}
	return nil
}
