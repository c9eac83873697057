package web

import (
	"encoding/json"
	"time"

	"fairlead/internal/flow"
)

// A Told is an entry of a run's journal in words.
type Told struct {
	Rev   int64 // the run's revision after it
	At    time.Time
	By    string // who asked for it; empty: nobody did
	Lines []ToldLine
}

// A ToldLine is one thing that an entry did. Task is empty if it did it to
// the run.
type ToldLine struct {
	Task  flow.TaskID
	State flow.State // after it; empty if it is as before
	Text  string
}

// maxLines bounds what a page is told of one entry: a clear may reach every
// task.
const maxLines = 20

type journalLine struct {
	Task  flow.TaskID     `json:"task"`
	State state           `json:"state"`
	Text  json.RawMessage `json:"text"`
}

type journalEntry struct {
	Rev   int64         `json:"rev"`
	At    int64         `json:"at"`
	By    string        `json:"by"`
	Lines []journalLine `json:"lines"`
	More  int           `json:"more"`
}

type journalView struct {
	Entries []journalEntry `json:"entries"`
	Next    string         `json:"next"`
}

func (s *Console) getJournal(c *call) (any, error) {
	ctx := c.Context()
	r, err := s.c.Runs.RunByID(ctx, runOf(c))
	if err != nil {
		return nil, err
	}
	asked := c.query.Get("asked")
	if asked != "" && asked != "true" {
		return nil, fault("asked", "expected true, or nothing")
	}
	page, err := s.page(c, 100, 500, "console journal", string(r.ID), asked)
	if err != nil {
		return nil, err
	}
	all, next, err := s.c.Tasks.Journal(ctx, r, asked != "", page)
	if err != nil {
		return nil, err
	}
	out := journalView{Entries: make([]journalEntry, len(all)), Next: s.c.Tokens.Seal(next, "console journal", string(r.ID), asked)}
	for i, e := range all {
		v := journalEntry{Rev: e.Rev, At: millis(e.At), By: e.By, Lines: []journalLine{}, More: max(0, len(e.Lines)-maxLines)}
		for _, l := range e.Lines[:len(e.Lines)-v.More] {
			text, err := json.Marshal(clip(l.Text, maxReason))
			if err != nil {
				return nil, err
			}
			if text, err = s.c.Mask(ctx, r, text); err != nil {
				return nil, err
			}
			v.Lines = append(v.Lines, journalLine{l.Task, state(l.State), text})
		}
		out.Entries[i] = v
	}
	return out, nil
}
