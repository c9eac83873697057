package wdl

import (
	"path"
	"strings"
)

// Shorten names a document, and those that it imports, from the nearest
// directory that has them all and, if it is above them, is their root: what is
// told of a place in one of them then names the file as a person would. It
// returns that directory, from where it was.
func (d *Document) Shorten() string {
	docs := d.All()
	dir := d.root
	for _, x := range docs {
		if !within(x.Source.Path, dir) {
			dir = path.Dir(d.Source.Path)
			break
		}
	}
	for _, x := range docs {
		for !within(x.Source.Path, dir) {
			dir = path.Dir(dir)
		}
	}
	short := func(name string) string {
		if dir == "." || dir == "" {
			return name
		}
		return strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
	}
	if within(d.root, dir) {
		d.root = short(d.root)
	} else {
		d.root = "" // and nothing was found there
	}
	for _, x := range docs {
		x.Source.Path = short(x.Source.Path)
	}
	return dir
}

// within reports whether a path is in a directory or is that itself.
func within(name, dir string) bool {
	return dir == "" || dir == "." || name == dir || strings.HasPrefix(name, dir+"/")
}
