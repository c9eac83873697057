package omics

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/flow"
)

// A Compiler checks definitions.
type Compiler interface {
	// Compile reads an archive, and checks and compiles what it defines. engine
	// and main are as the caller named them, either of which may be empty. What
	// is wrong with an archive is in its Compiled; the error says that we failed.
	Compile(ctx context.Context, archive []byte, engine, main string) (Compiled, error)
}

// Compiled is what a definition was found to be.
type Compiled struct {
	Engine, Main string
	Digest       string
	// Message is what is to be said of the definition: its outline and warnings,
	// or what is wrong with it.
	Message string
	// Failed says that it cannot be run; Graph is nothing then.
	Failed bool
	Graph  flow.Graph
	// Parameters are the inputs that the definition declares.
	Parameters []Parameter
}

// A Parameter is an input of a workflow.
type Parameter struct {
	Name, Description string
	Optional          bool
}

// definition is what the door keeps of a workflow or a version.
type definition struct {
	Description     string                       `json:"description,omitzero"`
	Engine          string                       `json:"engine,omitzero"`
	Main            string                       `json:"main,omitzero"`
	Digest          string                       `json:"digest,omitzero"`
	Message         string                       `json:"message,omitzero"`
	Template        map[string]workflowParameter `json:"template,omitzero"`
	StorageType     string                       `json:"storageType,omitzero"`
	StorageCapacity *int                         `json:"storageCapacity,omitzero"`
	Accelerators    string                       `json:"accelerators,omitzero"`
	Registries      *containerRegistryMap        `json:"registries,omitzero"`
	BucketOwner     string                       `json:"bucketOwner,omitzero"`
	UUID            string                       `json:"uuid"`
	// Readme is the key of the README among the Definitions; empty: none.
	Readme string `json:"readme,omitzero"`
}

// archive is the key of the archive among the Definitions.
func (b definition) archive() string { return b.UUID + "/definition.zip" }

// define makes what in says into a workflow or version, whose kind and names
// r has, and keeps it. Its archive and README are kept before its row.
func (d *Door) define(ctx context.Context, r flow.Resource, in *createWorkflowRequest, op string, max int) (flow.Resource, definition, error) {
	b := definition{
		Description: in.Description, Template: in.ParameterTemplate, StorageType: in.StorageType, StorageCapacity: in.StorageCapacity,
		Accelerators: in.Accelerators, Registries: in.ContainerRegistryMap, BucketOwner: in.WorkflowBucketOwnerID, UUID: awsjson.NewUUID(),
	}
	if err := in.check(); err != nil {
		return r, b, err
	}
	if err := d.checkTags(in.Tags); err != nil {
		return r, b, err
	}
	archive, err := d.archive(ctx, in)
	if err != nil {
		return r, b, err
	}
	if err := d.referred(ctx, in, &b); err != nil {
		return r, b, err
	}
	done, err := d.Compiler.Compile(ctx, archive, in.Engine, in.Main)
	if err != nil {
		return r, b, err
	}
	b.take(done, archive)
	r.Status = "FAILED"
	if !done.Failed {
		r.Status = "ACTIVE"
		if r.Graph, err = d.Resources.PutGraph(ctx, done.Graph); err != nil {
			return r, b, err
		}
	}
	if err := d.Definitions.Put(ctx, b.archive(), archive); err != nil {
		return r, b, err
	}
	if err := d.putReadme(ctx, in.ReadmeMarkdown, &b); err != nil {
		d.discard(ctx, b)
		return r, b, err
	}
	// The fingerprint is of the request, and need not hold 100 MB for that.
	sum := sha256.Sum256(archive)
	in.DefinitionZip = sum[:]
	kept, err := d.add(ctx, r, b, op, &in.RequestID, in, max)
	if err != nil {
		d.discard(ctx, b)
		return r, b, missing(err, flow.OmicsWorkflow, r.Parent)
	}
	was, err := body[definition](kept.ID, kept.Body)
	if was.UUID != b.UUID { // the request came again
		d.discard(ctx, b)
	}
	return kept, was, err
}

// take notes what a definition was found to be.
func (b *definition) take(c Compiled, archive []byte) {
	b.Engine, b.Main, b.Digest, b.Message = c.Engine, c.Main, c.Digest, c.Message
	if b.Digest == "" {
		sum := sha256.Sum256(archive)
		b.Digest = "sha256:" + hex.EncodeToString(sum[:])
	}
	if b.Template != nil || len(c.Parameters) == 0 {
		return
	}
	b.Template = map[string]workflowParameter{}
	for _, p := range c.Parameters {
		t := workflowParameter{Description: p.Description}
		if p.Optional {
			t.Optional = &p.Optional
		}
		b.Template[p.Name] = t
	}
}

// check refuses what contradicts itself, and what we do not do.
func (in *createWorkflowRequest) check() error {
	sources := 0
	for _, given := range []bool{in.DefinitionZip != nil, in.DefinitionURI != "", in.DefinitionRepository != nil} {
		if given {
			sources++
		}
	}
	switch {
	case sources != 1:
		return flow.Errorf(flow.Invalid, "exactly one of definitionZip, definitionUri and definitionRepository is needed, got %d", sources)
	case in.DefinitionRepository != nil:
		return unsupported("definitionRepository: repositories are not read here; send the definition as definitionZip, or from S3 as definitionUri")
	case in.ParameterTemplatePath != "":
		return flow.Errorf(flow.Invalid, "parameterTemplatePath has a meaning with definitionRepository only; send the template as parameterTemplate")
	case in.ReadmePath != "":
		return flow.Errorf(flow.Invalid, "readmePath has a meaning with definitionRepository only; send the text as readmeMarkdown, or from S3 as readmeUri")
	case in.ReadmeMarkdown != "" && in.ReadmeURI != "":
		return flow.Errorf(flow.Invalid, "readmeMarkdown and readmeUri exclude each other")
	case in.ContainerRegistryMap != nil && in.ContainerRegistryMapURI != "":
		return flow.Errorf(flow.Invalid, "containerRegistryMap and containerRegistryMapUri exclude each other")
	}
	return nil
}

// archive returns the zip of a request, wherever it is.
func (d *Door) archive(ctx context.Context, in *createWorkflowRequest) ([]byte, error) {
	if in.DefinitionURI != "" {
		return d.fetch(ctx, "definitionUri", in.DefinitionURI, d.Limits.Definition)
	}
	if n := int64(len(in.DefinitionZip)); n > d.Limits.Definition {
		return nil, flow.Errorf(flow.Invalid, "definitionZip has %d bytes, at most %d may be", n, d.Limits.Definition)
	}
	return in.DefinitionZip, nil
}

// fetch reads an object that a member of a request names.
func (d *Door) fetch(ctx context.Context, member, uri string, most int64) ([]byte, error) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	bucket, key, _ := strings.Cut(rest, "/")
	if !ok || bucket == "" || key == "" {
		return nil, flow.Errorf(flow.Invalid, "%s must be of the form s3://bucket/key, got %.200q", member, uri)
	}
	data, _, err := d.Objects.Fetch(ctx, bucket, key, "", most)
	if k := flow.KindOf(err); k == flow.NotFound || k == flow.Invalid || k == flow.Denied {
		return nil, flow.Errorf(flow.Invalid, "%s %.200s cannot be read: %v", member, uri, err)
	}
	return data, err
}

// maxRegistryMap bounds a map of registries in S3.
const maxRegistryMap = 1 << 20

// referred reads what the request names beside the archive.
func (d *Door) referred(ctx context.Context, in *createWorkflowRequest, b *definition) error {
	if in.ContainerRegistryMapURI != "" {
		data, err := d.fetch(ctx, "containerRegistryMapUri", in.ContainerRegistryMapURI, maxRegistryMap)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &b.Registries); err != nil {
			return flow.Errorf(flow.Invalid, "containerRegistryMapUri %.200s holds no map of registries: %v", in.ContainerRegistryMapURI, err)
		}
	}
	if in.ReadmeURI != "" {
		data, err := d.fetch(ctx, "readmeUri", in.ReadmeURI, d.Limits.Readme)
		if err != nil {
			return err
		}
		in.ReadmeMarkdown = string(data)
	}
	return nil
}

// putReadme keeps a README, if there is one, under a key of its own.
func (d *Door) putReadme(ctx context.Context, text string, b *definition) error {
	b.Readme = ""
	if n := int64(len(text)); n > d.Limits.Readme {
		return flow.Errorf(flow.Invalid, "the README has %d bytes, at most %d may be", n, d.Limits.Readme)
	}
	if text == "" {
		return nil
	}
	b.Readme = b.UUID + "/" + awsjson.NewUUID() + "/README.md"
	return d.Definitions.Put(ctx, b.Readme, []byte(text))
}

// discard removes what was kept for a workflow that is gone or never was.
// What cannot be removed takes room, no more.
func (d *Door) discard(ctx context.Context, b definition) {
	for _, key := range []string{b.archive(), b.Readme} {
		if key == "" {
			continue
		}
		if err := d.Definitions.Delete(ctx, key); err != nil && d.Log != nil {
			d.Log.WarnContext(ctx, "remove a definition", "key", key, "err", err)
		}
	}
}

// exported returns the URLs that a request asks for.
func (d *Door) exported(ctx context.Context, b definition, export []string) (archive, readme string, err error) {
	if slices.Contains(export, "DEFINITION") {
		if archive, err = d.Definitions.URL(ctx, b.archive()); err != nil {
			return "", "", err
		}
	}
	if b.Readme != "" && slices.Contains(export, "README") {
		readme, err = d.Definitions.URL(ctx, b.Readme)
	}
	return archive, readme, err
}

// A revision is what an update changes of a workflow or version.
type revision struct {
	name, description, storageType *string
	storageCapacity                *int
	readme                         *string
}

// revise updates a workflow or version.
func (d *Door) revise(ctx context.Context, kind flow.ResourceKind, id string, by revision) (*none, error) {
	var fresh definition
	if by.readme != nil {
		old, err := d.find(ctx, kind, id)
		if err != nil {
			return nil, err
		}
		if fresh, err = body[definition](id, old.Body); err != nil {
			return nil, err
		}
		if err := d.putReadme(ctx, *by.readme, &fresh); err != nil {
			return nil, err
		}
	}
	replaced := ""
	out, err := change(ctx, d, kind, id, func(r *flow.Resource, b *definition) error {
		set(&r.Name, by.name)
		set(&b.Description, by.description)
		set(&b.StorageType, by.storageType)
		if by.storageCapacity != nil {
			b.StorageCapacity = by.storageCapacity
		}
		if by.readme != nil {
			replaced, b.Readme = b.Readme, fresh.Readme
		}
		return nil
	})
	if err != nil {
		replaced = fresh.Readme
	}
	if replaced != "" {
		if err := d.Definitions.Delete(ctx, replaced); err != nil && d.Log != nil {
			d.Log.WarnContext(ctx, "remove a README", "key", replaced, "err", err)
		}
	}
	return out, err
}

// drop deletes a workflow or version with what is kept for it.
func (d *Door) drop(ctx context.Context, kind flow.ResourceKind, id string) (*none, error) {
	var b definition
	out, err := d.remove(ctx, kind, id, func(r flow.Resource) (err error) {
		b, err = body[definition](id, r.Body)
		return err
	})
	if err == nil {
		d.discard(ctx, b)
	}
	return out, err
}

// Sweep removes what crashes have left among the Definitions: archives and
// READMEs, put before a time, of which no workflow or version knows.
func (d *Door) Sweep(ctx context.Context, before time.Time) error {
	var left []string
	if err := d.Definitions.Each(ctx, before, func(key string) error { left = append(left, key); return nil }); err != nil || len(left) == 0 {
		return err
	}
	known := map[string]bool{}
	note := func(r flow.Resource) error {
		b, err := body[definition](r.ID, r.Body)
		known[b.archive()], known[b.Readme] = true, true
		return err
	}
	if err := d.eachResource(ctx, flow.OmicsWorkflow, "", func(w flow.Resource) error {
		if err := note(w); err != nil {
			return err
		}
		return d.eachResource(ctx, flow.OmicsVersion, w.ID, note)
	}); err != nil {
		return err
	}
	for _, key := range left {
		if known[key] {
			continue
		}
		if err := d.Definitions.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// eachResource calls f with all resources of a kind and parent.
func (d *Door) eachResource(ctx context.Context, kind flow.ResourceKind, parent string, f func(flow.Resource) error) error {
	for p := (flow.Page{Limit: 100}); ; {
		all, last, err := d.Resources.Resources(ctx, kind, flow.ResourceFilter{Parent: parent}, p)
		if err != nil {
			return err
		}
		for _, r := range all {
			if err := f(r); err != nil {
				return err
			}
		}
		if p.After = last; last == "" {
			return nil
		}
	}
}
