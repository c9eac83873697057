package engine

import (
	"strings"
	"testing"

	"fairlead/internal/flow"
)

// TestRules is the table of Airflow's trigger rules: for each rule, what it
// makes of upstreams that ended as the letters say (s success, k skipped,
// f failed, u upstream failed, r removed, - not yet).
func TestRules(t *testing.T) {
	verdicts := map[byte]flow.State{'R': flow.Ready, 'B': flow.Blocked, 'S': flow.Skipped, '.': flow.Waiting}
	columns := strings.Fields("-- s- f- u- k- ss sk sf su kk kf ku ff fu uu")
	for _, line := range []string{
		"all_success                 . . B B S R S B B S B B B B B",
		"all_failed                  . S . . S S S S S S S S R R R",
		"all_done                    . . . . . R R R R R R R R R R",
		"all_done_setup_success      . . . . . R R R R R R R R R R",
		"one_success                 . R . . . R R R R S B B B B B",
		"one_failed                  . . R R . S S R R S R R R R R",
		"one_done                    . R R . . R R R R S R S R R S",
		"none_failed                 . . B B . R R B B R B B B B B",
		"none_failed_min_one_success . . B B . R R B B S B B B B B",
		"none_skipped                . . . . S R S R R S S S R R R",
		"all_skipped                 . S S S . S S S S R S S S S S",
		"always                      R R R R R R R R R R R R R R R",
	} {
		f := strings.Fields(line)
		rule := flow.Rule(f[0])
		for i, ends := range columns {
			if got, want := judge(rule, tallyOf(ends), int32(len(ends))), verdicts[f[i+1][0]]; got != want {
				t.Errorf("%s with upstreams %q: got %s, want %s", rule, ends, got, want)
			}
		}
		if got := judge(rule, tally{}, 0); got != flow.Ready {
			t.Errorf("%s without upstreams: got %s, want ready", rule, got)
		}
	}
}

// TestEveryRuleDecides checks that no task waits once all upstreams ended.
func TestEveryRuleDecides(t *testing.T) {
	for _, rule := range flow.Rules() {
		for _, a := range "skfur" {
			for _, b := range "skfur" {
				ends := string([]rune{a, b})
				if got := judge(rule, tallyOf(ends), 2); got == flow.Waiting {
					t.Errorf("%s with upstreams %q waits for ever", rule, ends)
				}
			}
		}
	}
}

func tallyOf(ends string) tally {
	states := map[rune]flow.State{'s': flow.Succeeded, 'k': flow.Skipped, 'f': flow.Failed, 'u': flow.Blocked, 'r': flow.Removed}
	var c tally
	for _, e := range ends {
		if e != '-' {
			c.add(states[e], 1)
		}
	}
	return c
}
