package store

import (
	"math"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// limit is how many items a page may hold: 100 unless told, 1000 at most.
func limit(p flow.Page) int {
	if p.Limit <= 0 {
		return 100
	}
	return min(p.Limit, 1000)
}

// cut ends a list that was asked for one item more than its page may hold,
// and returns the key of the last item if others follow.
func cut[T any](all []T, p flow.Page, key func(T) string) ([]T, string) {
	n := limit(p)
	if len(all) <= n {
		return all, ""
	}
	return all[:n], key(all[n-1])
}

// byAge is the sort key of lists that show the newest first.
func byAge[ID ~string](created time.Time, id ID) string {
	return strconv.FormatInt(micros(created), 10) + "." + string(id)
}

// older reads what byAge wrote; the front of the list when p has no After.
func older(p flow.Page) (created int64, id string, err error) {
	if p.After == "" {
		return math.MaxInt64, "", nil
	}
	head, id, ok := strings.Cut(p.After, ".")
	created, err = strconv.ParseInt(head, 10, 64)
	if !ok || err != nil {
		return 0, "", badPage(p)
	}
	return created, id, nil
}

// numbers reads n numbers joined by points; all of them are start when p has
// no After.
func numbers(p flow.Page, n int, start int64) ([]int64, error) {
	all := make([]int64, n)
	if p.After == "" {
		for i := range all {
			all[i] = start
		}
		return all, nil
	}
	parts := strings.Split(p.After, ".")
	if len(parts) != n {
		return nil, badPage(p)
	}
	for i, part := range parts {
		v, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return nil, badPage(p)
		}
		all[i] = v
	}
	return all, nil
}

func badPage(p flow.Page) error {
	return flow.Errorf(flow.Invalid, "page key %q is not one that this list gave", p.After)
}
