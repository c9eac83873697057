package web

import (
	"encoding/json"
	"html"
	"net/url"
	"strings"
)

// This file has what a page is sent along with: a browser that reads there
// what to fetch has it on the way while the page's code is still coming.

// ahead is what the build says of the bundle's files.
type ahead struct {
	// Fonts are those that every page is written in.
	Fonts []string `json:"fonts"`
	// Pages are the files of code of each page beside those that all need.
	Pages map[string][]string `json:"pages"`
}

func loadAhead(files map[string]*file) ahead {
	var a ahead
	if f := files["ahead.json"]; f != nil { // there is none in a bundle that is being worked on
		if err := json.Unmarshal(f.plain(), &a); err != nil {
			panic(err) // the file is in the program
		}
	}
	return a
}

// pageAt says which page the console shows at a path, by the name of its
// source, and what that asks for first, below prefix. A page that it does not
// know is fetched as it goes.
func pageAt(path string) (page string, asks []string) {
	words := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case path == "/":
		return "workflows", nil
	case words[0] == "omics" && len(words) == 1:
		return "omics", nil
	case words[0] == "omics" && words[1] == "workflows" && len(words) <= 3:
		return "omicsWorkflows", nil
	case words[0] == "workflows" && len(words) == 2:
		w := "workflows/" + url.PathEscape(words[1])
		return "workflow", []string{w + "/grid?limit=50", w}
	case words[0] == "workflows" && len(words) == 3 && words[2] != "edit":
		return "workflow", nil
	case words[0] == "runs" && (len(words) == 2 || len(words) == 3):
		return "run", nil
	case words[0] == "runs" && len(words) == 4 && words[2] == "tasks":
		return "task", nil
	}
	return "", nil
}

// headOf returns what goes into the head of the page at a request's path:
// what to fetch, and the session of who has signed in. To others nothing is
// said: a link from elsewhere comes without the cookie, which the page's own
// requests then have.
func (s *Console) headOf(c *call) string {
	var b strings.Builder
	for _, f := range s.ahead.Fonts {
		b.WriteString(`<link rel="preload" as="font" type="font/woff2" crossorigin href="/console/` + f + "\">\n")
	}
	page, asks := pageAt(c.URL.Path)
	for _, f := range s.ahead.Pages[page] {
		b.WriteString(`<link rel="modulepreload" crossorigin href="/console/` + f + "\">\n")
	}
	c.user = s.userOf(c)
	if c.user == "" {
		return b.String()
	}
	for _, a := range asks {
		b.WriteString(`<link rel="preload" as="fetch" crossorigin href="` + html.EscapeString(prefix+a) + "\">\n")
	}
	if v, err := s.viewSession(c); err == nil { // else the page asks, and is told
		if text, err := json.Marshal(v); err == nil { // which writes < as \u003c, so that nothing ends the element
			b.WriteString(`<script type="application/json" id="session">` + string(text) + "</script>\n")
		}
	}
	return b.String()
}
