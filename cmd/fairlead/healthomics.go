package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"fairlead/internal/aws/arn"
	"fairlead/internal/aws/page"
	"fairlead/internal/omics"
)

// omicsDoor makes the door of HealthOmics.
func (a *app) omicsDoor(tokens *page.Tokens, check func(*http.Request, []byte) (context.Context, error)) (*omics.Door, error) {
	rows := resources{a.db, a.office}
	return omics.New(omics.Config{
		Account: a.opt.account, Region: a.opt.region, Limits: a.opt.limits.omics(),
		Resources: rows, Batches: rows, Compiler: omicsCompiler{}, Objects: a.objects, Definitions: a.newDefinitionShelf(), Tokens: tokens,
		CheckRole: a.checkRole, Check: check, Log: a.opt.log,
		RunConfig: omics.RunConfig{Runs: a.db, Engine: a.runs},
	}), nil
}

// permitOmics is permit for a request to HealthOmics.
func (a *app) permitOmics(ctx context.Context, op string, r *http.Request, in members) error {
	if err := a.permit(ctx, omics.Service+":"+op, a.omicsResource(r.URL.EscapedPath())); err != nil {
		return err
	}
	if op == "StartRunBatch" {
		if err := a.permit(ctx, omics.Service+":StartRun", "*"); err != nil {
			return err
		}
	}
	// As for the other service: the server acts for whoever asks.
	for _, roleArn := range []string{in.text("roleArn"), in.within("defaultRunSetting").text("roleArn")} {
		if roleArn == "" {
			continue
		}
		if err := a.permit(ctx, "iam:PassRole", roleArn); err != nil {
			return err
		}
	}
	for _, uri := range []string{in.text("definitionUri"), in.text("containerRegistryMapUri"), in.text("readmeUri"), in.within("batchRunSettings").text("s3UriSettings")} {
		object, ok := strings.CutPrefix(uri, "s3://")
		if !ok {
			continue
		}
		if err := a.permit(ctx, "s3:GetObject", "arn:aws:s3:::"+object); err != nil {
			return err
		}
	}
	return nil
}

// omicsResource is the ARN that a path is about; "*" where there is none yet.
func (a *app) omicsResource(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) < 2 {
		return "*"
	}
	id, err := url.PathUnescape(parts[1])
	switch {
	case err != nil, parts[0] == "runBatch" && (id == "cancel" || id == "delete"):
		return "*"
	case parts[0] == "tags":
		return id
	case len(parts) == 4 && parts[2] == "version":
		id += "/version/" + parts[3]
	}
	return arn.ARN{
		Partition: arn.Partition(a.opt.region), Service: omics.Service, Region: a.opt.region, Account: a.opt.account, Resource: parts[0] + "/" + id,
	}.String()
}
