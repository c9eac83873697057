package omics

import (
	"cmp"
	"fmt"
	"strings"
)

// A RegistryMap says where the images come from that a workflow names.
type RegistryMap = containerRegistryMap

// Image returns the image that a task gets which names one: that of the mapping
// of the image itself, else of its registry, else the one that it names. With no
// account of its own a registry of ECR is that of account, in region.
func (m *containerRegistryMap) Image(name, account, region string) string {
	if m == nil {
		return name
	}
	full := fullImage(name)
	for _, i := range m.ImageMappings {
		if i.DestinationImage != "" && (i.SourceImage == name || fullImage(i.SourceImage) == full) {
			return i.DestinationImage
		}
	}
	host, rest, _ := strings.Cut(full, "/")
	best, found := "", -1
	for _, r := range m.RegistryMappings {
		if upstreamHost(r.UpstreamRegistryURL) != host {
			continue
		}
		// What the registry calls a repository below the prefix is in ECR below
		// its own prefix; of several mappings the closest counts.
		prefix := strings.Trim(r.UpstreamRepositoryPrefix, "/")
		left := rest
		if prefix != "" {
			var ok bool
			if left, ok = strings.CutPrefix(rest, prefix+"/"); !ok {
				continue
			}
		}
		if len(prefix) <= found {
			continue
		}
		if own := strings.Trim(r.EcrRepositoryPrefix, "/"); own != "" {
			left = own + "/" + left
		}
		best, found = fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/%s", cmp.Or(r.EcrAccountID, account), region, left), len(prefix)
	}
	if found < 0 {
		return name
	}
	return best
}

// fullImage returns the name of an image with its registry. As everywhere, one
// that names none is of Docker Hub, and there in library if it has no owner.
func fullImage(name string) string {
	first, rest, ok := strings.Cut(name, "/")
	if ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		host := upstreamHost(first)
		if host == dockerHub && !strings.Contains(rest, "/") {
			rest = "library/" + rest
		}
		return host + "/" + rest
	}
	if !ok {
		name = "library/" + name
	}
	return dockerHub + "/" + name
}

// dockerHub is what the registry of images without one is called here.
const dockerHub = "docker.io"

// upstreamHost returns the host of a registry's URL, with one name for Docker Hub.
func upstreamHost(url string) string {
	_, host, ok := strings.Cut(url, "://")
	if !ok {
		host = url
	}
	host, _, _ = strings.Cut(strings.ToLower(host), "/")
	switch host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return dockerHub
	}
	return host
}
